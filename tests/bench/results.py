"""The results, as they are kept in `results.json`, and what is computed from them: medians, ratios, lines, limits."""

from statistics import median

import stages
from drill import READ_BACK, WRITTEN
from fit import fit

SCHEMA = "drillctl-bench-1"
GIB = 1 << 30


class Results:
    """What one `make bench` measured. `data` is what `results.json` holds."""

    def __init__(self, data):
        self.data = data

    @classmethod
    def new(cls, scale, machine, made_at):
        return cls(
            {
                "schema": SCHEMA,
                "scale": scale.name,
                "rounds": scale.rounds,
                "made_at": made_at,
                "machine": machine,
                "sets": {},
                "runs": [],
                "growth": [],
                "stages": {},
                "disk": None,
                "absent": {},
                "broken": [],
            }
        )

    def sets(self):
        """Names of the data sets, in order."""
        return sorted(self.data["sets"])

    def contenders(self, data_set):
        """Who was measured on a set, in the order of the first round."""
        return list(dict.fromkeys(run["contender"] for run in self.data["runs"] if run["set"] == data_set))

    def median(self, data_set, contender, what):
        """Median of a figure over the rounds; nothing if there is none."""
        runs = [run for run in self.data["runs"] if (run["set"], run["contender"]) == (data_set, contender)]
        return median(run[what] for run in runs) if runs else None

    def phases(self, data_set, contender):
        """Median seconds of each phase."""
        runs = [run for run in self.data["runs"] if (run["set"], run["contender"]) == (data_set, contender)]
        names = dict.fromkeys(name for run in runs for name in run["phase_secs"])
        return {name: median(run["phase_secs"].get(name, 0) for run in runs) for name in names}

    def ratio(self, data_set, contender, to=READ_BACK):
        """How many times as long it took as the drill."""
        ours, theirs = (self.median(data_set, who, "wall_secs") for who in (to, contender))
        return theirs / ours if ours and theirs else None

    def limit_secs(self, data_set, read_back=True):
        """The limit of a whole drill of this set, by the stages; nothing where they aren't known."""
        ours = self.median(data_set, READ_BACK if read_back else WRITTEN, "stored_bytes")
        if ours is None or not self.data["stages"]:
            return None
        about, cores = self.data["sets"][data_set], self.data["machine"]["cores"]
        return stages.limit_secs(about["kind"], about["bytes"], ours, self.data["stages"], cores, read_back)

    def share(self, data_set, read_back=True):
        """How near a drill came to its limit: 1 is there."""
        limit = self.limit_secs(data_set, read_back)
        took = self.median(data_set, READ_BACK if read_back else WRITTEN, "wall_secs")
        return limit / took if limit and took else None

    def growth(self, by, low_memory=False):
        """The runs of growing data by `bytes` or `files`, the smallest first."""
        runs = [run for run in self.data["growth"] if (run["by"], run["low_memory"]) == (by, low_memory)]
        return sorted(runs, key=lambda run: run["size"])

    def line(self, by, what):
        """The line through a figure of growing data: for each GiB, or for each file."""
        unit = GIB if by == "bytes" else 1
        points = [(run["size"] / unit, run[what]) for run in self.growth(by)]
        return fit(points) if len(points) > 1 else None

    def peak_bytes(self, low_memory=False):
        """The most memory that drillctl's own process took on anything."""
        runs = [run for run in self.data["runs"] if run["contender"] in (READ_BACK, WRITTEN) and not low_memory]
        runs += [run for run in self.data["growth"] if run["low_memory"] == low_memory]
        return max((run["own_bytes"] for run in runs), default=None)
