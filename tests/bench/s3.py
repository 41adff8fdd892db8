"""A store that speaks S3, on loopback, and the drill that keeps its snapshots there."""

import socket
import subprocess
import time

from drill import Drill
from meter import Broken

PROGRAM = "s3s-fs"
BUCKET = "bench"
# Words that stand nowhere else: drillctl scrubs them from all that it writes.
KEYS = {"DRILL_BENCH_ID": "loopback-account", "DRILL_BENCH_SECRET": "loopback-password"}
START_SECS = 10


class Store:
    """The server, with one bucket in a folder."""

    def __init__(self, folder, log):
        (folder / BUCKET).mkdir(parents=True)
        self.port = free_port()
        access, secret = KEYS.values()
        argv = [
            PROGRAM, "--access-key", access, "--secret-key", secret, "--host", "127.0.0.1", "--port", str(self.port), folder,
        ]
        with open(log, "ab") as output:
            self.server = subprocess.Popen(argv, stdout=output, stderr=output)
        self.wait()

    def wait(self):
        until = time.monotonic() + START_SECS
        while time.monotonic() < until and self.server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        self.close()
        raise Broken(f"{PROGRAM} doesn't answer")

    def close(self):
        self.server.terminate()
        self.server.wait()


class StoreDrill(Drill):
    """One whole drill through a bucket instead of a folder."""

    name = "drillctl, S3"

    def __init__(self, program, work, **options):
        super().__init__(program, work, **options)
        self.env |= KEYS
        self.store = Store(self.repository, work / "store.log")

    def vault(self):
        access, secret = KEYS
        return {
            "s3": {
                "bucket": BUCKET,
                "endpoint": f"http://127.0.0.1:{self.store.port}",
                "region": "us-east-1",
                "access_key_id": {"env": access},
                "secret_access_key": {"env": secret},
            }
        }

    def close(self):
        self.store.close()


def free_port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]
