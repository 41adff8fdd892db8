"""The order of a benchmark: everyone on every data set, round by round, then what grows."""

import itertools
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial

import machine
import s3
import sets
import stages
from drill import READ_BACK, WRITTEN, Drill, knows
from meter import Broken
from peers import PEERS
from postgres import Cluster, Database, DatabaseDrill, PipedDump
from results import Results

# The programs that a quick run can't do without: Debian has them.
AT_HAND = ("restic", "borg", "age")
PARTS = ("a", "b", "c", "d", "growth")


class Bench:
    """One benchmark of `program`, with everything that it needs in `folder`."""

    def __init__(self, program, folder, scale):
        self.program, self.folder, self.scale = program, folder, scale
        self.library = sets.Library(folder / "data", scale)
        self.work = folder / "work"
        self.knows = knows(program)
        made_at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        self.results = Results.new(scale, machine.describe(folder, program), made_at)
        self.data = self.results.data

    def run(self, parts=PARTS):
        """Measures these parts. What breaks is noted, and the rest goes on."""
        require_room(self.folder, self.scale.free_bytes)
        self.attempt("the stages", self.measure_stages)
        for name, part in (("a", self.real), ("b", self.noise), ("c", self.small), ("d", self.database), ("growth", self.growth)):
            if name in parts:
                self.attempt(name, part)
        shutil.rmtree(self.work, ignore_errors=True)
        return self.results

    def attempt(self, what, act, *arguments):
        try:
            act(*arguments)
        except (Broken, OSError, subprocess.CalledProcessError) as error:
            told = f"{what}: {error} {getattr(error, 'stderr', None) or ''}"
            say(f"BROKEN  {told}")
            self.data["broken"].append(told)

    def measure_stages(self):
        say("the stages by themselves")
        sample = self.folder / "sample"
        sets.sample(self.library.real(), sample)
        self.data["stages"] = stages.measure(self.scale.quick, sample)

    def real(self):
        self.go_rounds(self.library.real(), self.contenders())

    def noise(self):
        data = self.library.noise()
        data.warm()
        self.data["disk"] = machine.probe_disk(data.path / "noise", self.fresh() / "copy")
        self.go_rounds(data, self.contenders() + self.remote())

    def small(self):
        self.go_rounds(self.library.small(), self.contenders() + self.remote())

    def database(self):
        say("d: making the database")
        self.require(PipedDump)
        folder = self.folder / "cluster"
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed; a server whose files are gone ends by itself
        cluster = Cluster(folder)
        try:
            data = Database.make(cluster, self.scale.pgbench_scale)
            self.go_rounds(data, [(READ_BACK, partial(DatabaseDrill, self.program)), (PipedDump.name, PipedDump)])
        finally:
            cluster.remove()

    def growth(self):
        """Growing data: once each, since the line through the sizes evens it out."""
        little = (self.scale.little_bytes, self.scale.part_bytes, sets.PARTS[-1] * self.scale.part_bytes)
        for data in self.library.growing():
            modes = (False, True) if data.bytes in little and self.knows["low_memory"] else (False,)
            for low_memory in modes:
                self.attempt(data.name, self.grow, data, "bytes", data.bytes, low_memory)
        for count in self.scale.growth_files:
            data = self.library.small(count)
            self.attempt(data.name, self.grow, data, "files", data.files, False)

    def grow(self, data, by, size, low_memory):
        run = self.measure(data, partial(Drill, self.program, low_memory=low_memory), check=False)
        self.data["growth"].append({"by": by, "size": size, "low_memory": low_memory, **figures(run)})

    def contenders(self):
        """Who backs up folders: drillctl in its modes, and every peer that is here."""
        for peer in PEERS:
            self.require(peer)
        drills = [(READ_BACK, partial(Drill, self.program))]
        if self.knows["read_back"]:
            drills.append((WRITTEN, partial(Drill, self.program, read_back=False)))
        return drills + [(peer.name, peer) for peer in PEERS if peer.name not in self.data["absent"]]

    def remote(self):
        if shutil.which(s3.PROGRAM) is None:
            self.data["absent"][s3.StoreDrill.name] = f"`{s3.PROGRAM}` isn't on the path"
            return []
        return [(s3.StoreDrill.name, partial(s3.StoreDrill, self.program))]

    def require(self, peer):
        """Notes a peer that isn't here."""
        if shutil.which(peer.program) is not None:
            return
        why = f"`{peer.program}` isn't on the path"
        if self.scale.quick and peer.program in AT_HAND:
            raise Broken(f"{why}; install it with tests/install bench-quick")
        self.data["absent"][peer.name] = why

    def go_rounds(self, data, contenders):
        """Everyone in turn, every second round backwards, so that nobody always follows the same other."""
        about = {"what": data.what, "kind": data.kind, "count": data.count, "bytes": data.bytes}
        self.data["sets"][data.name] = about
        for number, (who, make) in itertools.product(range(self.scale.rounds), contenders):
            if number % 2:
                who, make = contenders[-1 - contenders.index((who, make))]
            self.attempt(f"{who} on {data.name}", self.measure_into, data, who, make, number)

    def measure_into(self, data, who, make, number):
        run = self.measure(data, make, check=number == 0)
        self.data["runs"].append({"set": data.name, "contender": who, "round": number, **figures(run)})
        say(f"{data.name}  {who}  {run.cost.wall_secs:.2f} s")

    def measure(self, data, make, check):
        """One run, in a fresh folder, with the source in memory and nothing left to be written by who came before."""
        work = self.fresh()
        data.warm()
        os.sync()
        contender = make(work)
        try:
            run = contender.run(data)
            if check:
                contender.check(data)
            return run
        finally:
            contender.close()

    def fresh(self):
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        return self.work


def figures(run):
    """A run as it is kept."""
    kept = asdict(run.cost) | {"peak_bytes": run.cost.peak_bytes}
    return kept | {"phase_secs": run.phase_secs, "stored_bytes": run.stored_bytes}


def require_room(folder, needed):
    """Raises `Broken` unless the data sets, as far as they aren't there yet, and their copies will fit."""
    used = subprocess.run(["du", "--summarize", "--block-size=1", folder], check=True, capture_output=True, text=True)
    there, free = int(used.stdout.split()[0]), shutil.disk_usage(folder).free
    if there + free < needed:
        raise Broken(f"{folder} has {free >> 30} GiB free; give it {(needed - there) >> 30} GiB for data sets and their copies")


def say(words):
    print(f"{time.strftime('%T')}  {words}", file=sys.stderr, flush=True)
