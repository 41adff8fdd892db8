"""The data sets: made once, the same every time on one machine, and kept for the next run.

    a   real files, chosen from /usr by the digests of their names
    b   one file that doesn't compress
    c   many small files
    d   a PostgreSQL database, which is made in `postgres.py`
"""

import hashlib
import os
import random
import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

MIB, GIB = 1 << 20, 1 << 30
PIECE = 16 * MIB
SMALL_BYTES = 4096
FOLDER_FILES = 1000
LARGEST_REAL_BYTES = 8 * MIB


@dataclass(frozen=True)
class Scale:
    """How much data there is, and how often it is gone through."""

    name: str
    rounds: int
    real_files: int
    noise_bytes: int
    small_files: int
    pgbench_scale: int
    part_bytes: int  # growth by bytes: of these, 1, 2, 4 and 8
    little_bytes: int  # and one file that is smaller
    growth_files: tuple  # growth by files
    free_bytes: int  # what all of it takes on the disk

    @property
    def quick(self):
        return self.name == "quick"


FULL = Scale("full", 2, 92_000, 4 * GIB, 100_000, 60, GIB, 100 * MIB, (10_000, 100_000, 1_000_000), 45 * GIB)
QUICK = Scale("quick", 1, 200, 24 * MIB, 500, 1, 4 * MIB, MIB, (50, 500, 1000), GIB)
PARTS = (1, 2, 4, 8)


@dataclass(frozen=True)
class DataSet:
    """A folder of files to be backed up."""

    name: str
    what: str
    path: Path
    kind: str  # how its bytes compress, as in `agents/benches/stages.rs`
    files: int
    bytes: int

    @property
    def count(self):
        return "1 file" if self.files == 1 else f"{self.files:,} files"

    def warm(self):
        """Reads it, so that everyone finds it in memory as far as it fits."""
        subprocess.run(["find", self.path, "-type", "f", "-exec", "cat", "{}", "+"], stdout=subprocess.DEVNULL, check=True)


class Library:
    """The data sets of one scale, below a folder."""

    def __init__(self, folder, scale):
        self.folder, self.scale = folder / scale.name, scale
        self.folder.mkdir(parents=True, exist_ok=True)

    def real(self):
        return self._set("a", "real files from /usr", "mixed", lambda to: copy_real(to, self.scale.real_files))

    def noise(self):
        size = self.scale.noise_bytes
        return self._set("b", "one file that doesn't compress", "noise", lambda to: write_noise(to / "noise", "b", size))

    def small(self, count=None):
        count = count or self.scale.small_files
        name = "c" if count == self.scale.small_files else f"files-{count}"
        return self._set(name, "small files", "mixed", lambda to: write_small(to, count))

    def growing(self):
        """Sets that grow by bytes: a little one, and as many links to files of one size as there are parts."""
        little = self.scale.little_bytes
        yield self._set("bytes-little", "noise", "noise", lambda to: write_noise(to / "noise", "little", little))
        for count in PARTS:
            yield self._set(f"bytes-{count}", "noise", "noise", lambda to, count=count: self._link_parts(to, count))

    def _link_parts(self, to, count):
        for number in range(count):
            name = f"part-{number}"
            part = self._made(name, lambda at, name=name: write_noise(at / name, name, self.scale.part_bytes)) / name
            os.link(part, to / name)

    def _set(self, name, what, kind, write):
        path = self._made(name, write)
        sizes = [entry.stat().st_size for entry in files_below(path)]
        return DataSet(name, what, path, kind, len(sizes), sum(sizes))

    def _made(self, name, write):
        """The folder of this name; what a run that was broken off began is thrown away."""
        path, new = self.folder / name, self.folder / f"{name}.new"
        if not path.exists():
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            write(new)
            new.rename(path)
        return path


def files_below(folder):
    """Regular files below a folder, in the order of the disk."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(entry)
        elif entry.is_file(follow_symlinks=False):
            yield entry


def by_digest(path):
    """A key that shuffles paths, the same way every time."""
    return hashlib.sha256(os.fsencode(path)).digest()


def copy_real(to, count):
    def fits(entry):
        return entry.stat().st_size <= LARGEST_REAL_BYTES and os.access(entry.path, os.R_OK)

    found = sorted((entry.path for entry in files_below("/usr") if fits(entry)), key=by_digest)
    for path in sorted(found[:count]):
        copy = to / os.path.relpath(path, "/usr")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def write_noise(path, seed, size):
    noise = random.Random(seed)
    with open(path, "wb") as file:
        for at in range(0, size, PIECE):
            file.write(noise.randbytes(min(PIECE, size - at)))


def write_small(to, count):
    """Files that compress to about half, no two alike."""
    with ProcessPoolExecutor() as pool:
        starts = range(0, count, FOLDER_FILES)
        list(pool.map(write_folder, [to] * len(starts), starts, [count] * len(starts)))


def write_folder(to, start, count):
    noise = random.Random(start)
    folder = to / f"{start // FOLDER_FILES:04}"
    folder.mkdir()
    for number in range(min(FOLDER_FILES, count - start)):
        (folder / f"{number:03}").write_text(noise.randbytes(SMALL_BYTES // 2).hex())


def sample(data, to):
    """Writes a segment's worth of a set's files, shuffled, for the stages to be measured on."""
    paths = sorted((entry.path for entry in files_below(data.path)), key=by_digest)
    with open(to, "wb") as out:
        for path in paths:
            out.write(Path(path).read_bytes())
            if out.tell() >= PIECE:
                return
