"""What people would use instead, on a tree of files: backup, restore, and the verification that each has of its own."""

import functools
import operator
import os
import shlex
import subprocess
from pathlib import Path

import tree
from meter import Broken, Run, measure, tail

PASSWORD = "benchmark"


class Peer:
    """A program with its repository below the folder `work`.

    `phases` are measured, `prepare` isn't: making an empty repository happens once in its life.
    """

    name = program = None

    def __init__(self, work):
        self.work, self.log = work, work / "log"
        self.repository, self.restored = work / "repository", work / "restored"
        self.env = {**os.environ, "HOME": str(work), "XDG_CACHE_HOME": str(work / "cache"), **self.variables()}

    def variables(self):
        return {}

    def prepare(self):
        self.repository.mkdir()

    def phases(self, data):
        """Name, command and working folder of each phase."""
        raise NotImplementedError

    def run(self, data):
        """Every phase, measured."""
        self.restored.mkdir()
        self.prepare()
        phases = self.phases(data)
        costs = {name: measure(argv, self.log, cwd=cwd or self.work, env=self.env) for name, argv, cwd in phases}
        return Run(
            functools.reduce(operator.add, costs.values()),
            {name: cost.wall_secs for name, cost in costs.items()},
            stored_bytes(self.repository),
        )

    def check(self, data):
        """Raises `Broken` unless what was restored is what was backed up."""
        tree.require_same(data.path, self.restored, self.name)

    def close(self):
        """Stops what still runs."""

    def call(self, *argv):
        with open(self.log, "ab") as log:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.work, env=self.env)
        if done.returncode != 0:
            raise Broken(f"{' '.join(map(str, argv))} failed:\n{tail(self.log)}")


class Restic(Peer):
    name = program = "restic"

    def variables(self):
        return {"RESTIC_REPOSITORY": str(self.repository), "RESTIC_PASSWORD": PASSWORD}

    def prepare(self):
        self.call("restic", "init", "--quiet")

    def phases(self, data):
        yield "backup", ["restic", "backup", "--quiet", "."], data.path
        yield "restore", ["restic", "restore", "latest", "--quiet", "--verify", "--target", self.restored], None


class Rustic(Peer):
    name = program = "rustic"

    def variables(self):
        return {"RUSTIC_REPOSITORY": str(self.repository), "RUSTIC_PASSWORD": PASSWORD, "RUSTIC_NO_PROGRESS": "true"}

    def prepare(self):
        self.call("rustic", "init")

    def phases(self, data):
        yield "backup", ["rustic", "backup", "--as-path", "/", data.path], None
        yield "restore", ["rustic", "restore", "latest:/", self.restored], None
        yield "verify", ["rustic", "check", "--read-data"], None


class Borg(Peer):
    name = program = "borg"

    def variables(self):
        return {
            "BORG_REPO": str(self.repository), "BORG_PASSPHRASE": PASSWORD, "BORG_BASE_DIR": str(self.work / "borg"),
        }

    def prepare(self):
        self.call("borg", "init", "--encryption", "repokey-blake2")

    def phases(self, data):
        yield "backup", ["borg", "create", "::drill", "."], data.path
        yield "restore", ["borg", "extract", "::drill"], self.restored
        yield "verify", ["borg", "check", "--verify-data"], None


class Age(Peer):
    """tar, zstd and age in a pipe, which verifies nothing."""

    name, program, keygen = "tar, zstd −1, age", "age", "age-keygen"

    def prepare(self):
        super().prepare()
        self.call(self.keygen, "-o", self.work / "key")
        lines = (self.work / "key").read_text().splitlines()
        self.recipient = next(line.split()[-1] for line in lines if "public key:" in line)
        self.file = self.repository / "backup.age"

    def phases(self, data):
        pack = f"tar --create --format=posix --directory={shlex.quote(str(data.path))} ."
        unpack = f"tar --extract --preserve-permissions --directory={shlex.quote(str(self.restored))}"
        yield "backup", pipe(pack, "zstd -q -1", f"{self.seal()} > {shlex.quote(str(self.file))}"), None
        yield "restore", pipe(self.open(), "zstd -q -dc", unpack), None

    def seal(self):
        return f"{self.program} --encrypt --recipient {self.recipient}"

    def open(self):
        return f"{self.program} --decrypt --identity {shlex.quote(str(self.work / 'key'))} {shlex.quote(str(self.file))}"


class Rage(Age):
    """The same with rage."""

    name, program, keygen = "tar, zstd −1, rage", "rage", "rage-keygen"


PEERS = (Restic, Rustic, Borg, Age, Rage)


def pipe(*commands):
    """A pipe that fails if any part of it does."""
    return ["bash", "-o", "pipefail", "-c", " | ".join(commands)]


def stored_bytes(folder):
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())

