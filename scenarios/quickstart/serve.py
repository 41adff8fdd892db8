"""The quickstart's application: the restored checkout's files, and at /history.json what the restored database says.

    serve.py PORT FOLDER DATABASE
"""

import json
import sqlite3
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args, database, **kwargs):
        self.database = database
        super().__init__(*args, **kwargs)

    def do_GET(self):
        if self.path != "/history.json":
            return super().do_GET()
        body = json.dumps(history(self.database)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def history(database):
    with sqlite3.connect(f"{Path(database).resolve().as_uri()}?mode=ro", uri=True) as db:
        commits, latest = db.execute("select count(*), max(written_at) from commits").fetchone()
        files, size = db.execute("select count(*), sum(bytes) from files").fetchone()
    return {"commits": commits, "latest": latest, "files": files, "bytes": size}


def main():
    port, folder, database = sys.argv[1:]
    handler = partial(Handler, directory=folder, database=database)
    ThreadingHTTPServer(("127.0.0.1", int(port)), handler).serve_forever()


if __name__ == "__main__":
    main()
