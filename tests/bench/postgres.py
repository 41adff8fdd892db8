"""Set d: a PostgreSQL database, and the contenders for it."""

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from drill import Drill
from meter import Broken
from peers import Age, pipe

DATABASE = "bench"
TABLES = ("pgbench_accounts", "pgbench_branches", "pgbench_history", "pgbench_tellers")
# What drillctl gives its own throw-away clusters, so that everyone restores into the same kind.
FAST = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off", "wal_level": "minimal",
    "max_wal_senders": "0", "max_wal_size": "1GB", "checkpoint_timeout": "30min", "shared_buffers": "128MB",
    "maintenance_work_mem": "128MB", "listen_addresses": "",
}


def programs():
    """Folder of the newest server's programs."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in found), key=lambda bin: int(bin.parent.name), default=None)


def as_server():
    """What runs a command as somebody whom the server accepts: never root."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []


class Cluster:
    """A cluster in `folder` whose server listens on a unix socket only."""

    def __init__(self, folder):
        self.folder, self.bin = folder, programs()
        # A socket's path must be short.
        self.sockets = Path(tempfile.mkdtemp(prefix="drill-bench-"))
        self.log = self.sockets / "log"
        folder.mkdir(parents=True)
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            for path in (folder, self.sockets):
                os.chown(path, account.pw_uid, account.pw_gid)

    @property
    def url(self):
        return f"postgresql://postgres@/{DATABASE}?host={self.sockets}"

    def commands(self):
        """Makes it and starts its server, as words of a shell."""
        return [self.shell(*self.initdb()), self.shell(*self.start()), self.shell("createdb", *self.login(), DATABASE)]

    def initdb(self):
        return ["initdb", "--no-sync", "--auth=trust", "--username=postgres", "--pgdata", self.folder / "data"]

    def start(self):
        settings = [f"-c {name}='{value}'" for name, value in FAST.items()]
        options = " ".join([*settings, f"-c unix_socket_directories={self.sockets}"])
        return ["pg_ctl", "--silent", "-w", "--log", self.log, "--pgdata", self.folder / "data", "-o", options, "start"]

    def stop(self):
        return ["pg_ctl", "--silent", "-w", "-m", "immediate", "--pgdata", self.folder / "data", "stop"]

    def login(self):
        return ["--host", self.sockets, "--username", "postgres"]

    def argv(self, program, *arguments):
        return [*as_server(), str(self.bin / program), *map(str, arguments)]

    def shell(self, program, *arguments):
        return shlex.join(self.argv(program, *arguments))

    def call(self, program, *arguments):
        # Into a file: the server keeps its end of a pipe open.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(self.argv(program, *arguments), cwd="/", stdout=output, stderr=output)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if done.returncode != 0:
            raise Broken(f"{program} failed:\n{text}")
        return text

    def fingerprints(self):
        """Rows and a digest of them, whatever their order, of each table."""
        query = "select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) from {} t"
        statements = ";".join(query.format(table) for table in TABLES)
        return self.call("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", statements)

    def bytes(self):
        return int(self.call("psql", "-XAtq", "-d", self.url, "-c", "select pg_database_size(current_database())"))

    def remove(self):
        if (self.folder / "data/postmaster.pid").exists():
            self.call(*self.stop())
        shutil.rmtree(self.sockets)
        shutil.rmtree(self.folder)


@dataclass(frozen=True)
class Database:
    """Set d, in a server that runs."""

    cluster: Cluster
    bytes: int
    name: str = "d"
    what: str = "a PostgreSQL database of pgbench"
    kind: str = "mixed"
    count: str = f"{len(TABLES)} tables"

    @classmethod
    def make(cls, cluster, scale):
        """Starts the cluster's server, with a database of pgbench at this scale."""
        for command in (cluster.initdb(), cluster.start(), ["createdb", *cluster.login(), DATABASE]):
            cluster.call(*command)
        cluster.call("pgbench", "--quiet", "-i", "-s", scale, *cluster.login(), DATABASE)
        return cls(cluster, cluster.bytes())

    def warm(self):
        """Reads every table."""
        self.cluster.fingerprints()


class PipedDump(Age):
    """pg_dump, zstd and age in a pipe, and back into a new cluster through pg_restore."""

    name, program = "pg_dump, zstd −1, age", "age"
    cluster = None

    def prepare(self):
        super().prepare()
        self.cluster = Cluster(self.work / "cluster")

    def phases(self, data):
        dump = shlex.join([str(data.cluster.bin / "pg_dump"), "-Fc", "-Z0", "-d", data.cluster.url])
        load = shlex.join([str(self.cluster.bin / "pg_restore"), "--exit-on-error", "-d", self.cluster.url])
        yield "backup", pipe(dump, "zstd -q -1", f"{self.seal()} > {shlex.quote(str(self.file))}"), None
        steps = [*self.cluster.commands(), f"{self.open()} | zstd -q -dc | {load}", self.cluster.shell(*self.cluster.stop())]
        yield "restore", ["bash", "-o", "pipefail", "-c", " && ".join(steps)], Path("/")

    def check(self, data):
        self.cluster.call(*self.cluster.start())
        if self.cluster.fingerprints() != data.cluster.fingerprints():
            raise Broken(f"{self.name}: the tables that came back are not those that were dumped")

    def close(self):
        if self.cluster:
            self.cluster.remove()


class DatabaseDrill(Drill):
    """One whole drill of a database, every table compared."""

    def source(self, data):
        return {"postgres": {"url": data.cluster.url, "jobs": os.cpu_count()}}

    def scratch(self):
        return {"postgres": {"jobs": os.cpu_count()}}

    def probe(self):
        query = f"select count(*) from {TABLES[0]}"
        return {"name": "rows came back", "probe": {"sql": {"query": query}}, "expect": {"value": {"at_least": 1}}}

    def check(self, data):
        """Tables are compared by the drill itself; that it did is what is looked at."""
        compared = [check for check in self.record()["checks"] if check["id"] == "content"]
        if [check["outcome"] for check in compared] != ["passed"]:
            raise Broken(f"{self.name}: the record doesn't say that the tables were compared")
