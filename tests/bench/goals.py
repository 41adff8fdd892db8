"""What the data plane is to reach, and whether it did: computed, never typed."""

from dataclasses import dataclass

from peers import Age, Restic
from postgres import PipedDump
from s3 import StoreDrill

MIB = 1 << 20
FLAT_BYTES_A_GIB = 4 * MIB


@dataclass(frozen=True)
class Goal:
    """A measured figure (nothing where it wasn't measured) and the bound that it must keep."""

    what: str
    measured: float | None
    bound: float
    least: bool  # whether the bound is the least or the most that it may be
    unit: str  # `×`, `%` or `MiB`

    @property
    def reached(self):
        if self.measured is None:
            return None
        return self.measured >= self.bound if self.least else self.measured <= self.bound

    @property
    def verdict(self):
        return {None: "not measured", True: "reached", False: "**not reached**"}[self.reached]


def goals(results):
    """Every goal, in the order of the page."""
    return [*faster(results), *near_limit(results), *lean(results), remote(results)]


def faster(results):
    def times(peer, data_set, bound):
        return Goal(f"{data_set}: faster than {peer}", results.ratio(data_set, peer), bound, True, "×")

    for peer in (Restic.name, "rustic"):
        yield from (times(peer, data_set, 3) for data_set in "abc")
    yield from (times(Age.name, data_set, bound) for data_set, bound in (("a", 1.5), ("b", 2), ("c", 1.5)))
    yield times(PipedDump.name, "d", 1)


def near_limit(results):
    for data_set, bound in (("a", 60), ("b", 80), ("c", 60)):
        share = results.share(data_set)
        yield Goal(f"{data_set}: share of the limit", share and share * 100, bound, True, "%")


def lean(results):
    def mebibytes(size):
        return None if size is None else size / MIB

    yield Goal("peak memory on everything", mebibytes(results.peak_bytes()), 256, False, "MiB")
    yield Goal("peak memory with `--low-memory`", mebibytes(results.peak_bytes(low_memory=True)), 128, False, "MiB")
    line = results.line("bytes", "own_bytes")
    yield Goal("memory that each further GiB takes", line and mebibytes(line.slope), mebibytes(FLAT_BYTES_A_GIB), False, "MiB")


def remote(results):
    return Goal("b: time on S3, in times of a folder's", results.ratio("b", StoreDrill.name), 1.3, False, "×")
