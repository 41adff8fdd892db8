"""drillctl itself: one whole drill, as users run it."""

import json
import os
import subprocess

import tree
from meter import Run, measure
from peers import stored_bytes

PHASES = {"capture": "backup", "store": "backup", "provision": "restore", "restore": "restore", "verify": "verify"}
SOMETHING = {
    "name": "something came back",
    "probe": {"command": {"argv": ["find", ".", "-mindepth", "1", "-print", "-quit"]}},
    "expect": {"stdout": {"matches": "."}},
}
READ_BACK = "drillctl"
WRITTEN = "drillctl, not read back"


class Drill:
    """One whole drill of a folder, below the folder `work`: from a folder through a vault into a folder."""

    name = READ_BACK

    def __init__(self, program, work, read_back=None, low_memory=False):
        self.program, self.work, self.log = program, work, work / "log"
        self.state, self.repository = work / "state", work / "vault"
        self.verify = {} if read_back is None else {"read_back": read_back}
        self.options = ["--low-memory"] if low_memory else []
        self.env = dict(os.environ)

    def source(self, data):
        return {"directory": {"path": str(data.path)}}

    def scratch(self):
        return {"directory": {"path": str(self.work / "scratch")}}

    def vault(self):
        return {"fs": {"path": str(self.repository)}}

    def probe(self):
        return SOMETHING

    def run(self, data):
        """The drill, measured."""
        scenario = self.write_scenario(data)
        command = [self.program, "--state", self.state, "run", *self.options, scenario]
        cost = measure(command, self.log, cwd=self.work, env=self.env)
        secs = self.phase_secs()
        secs["other"] = cost.wall_secs - sum(secs.values())  # planning, probing, releasing
        return Run(cost, secs, stored_bytes(self.repository))

    def write_scenario(self, data):
        key = self.work / "key"
        self.call("keys", "new", key)
        scenario = {
            "version": 1,
            "name": "bench",
            "title": "One data set of the benchmark",
            "owner": "whoever runs make bench",
            "criticality": "low",
            "source": self.source(data),
            "vault": self.vault(),
            "seal": {"identities": [{"file": str(key)}]},
            "scratch": self.scratch(),
            "verify": self.verify,
            "checks": [self.probe()],
            "objectives": {"rto": "1d", "promised_in": "docs/performance"},
        }
        path = self.work / "scenario.yaml"  # JSON is YAML
        path.write_text(json.dumps(scenario, indent=2))
        return path

    def record(self):
        (path,) = self.state.glob("runs/*/record.json")
        return json.loads(path.read_text())

    def phase_secs(self):
        secs = dict.fromkeys(PHASES.values(), 0)
        for stage in self.record()["stages"]:
            if phase := PHASES.get(stage["stage"]):
                secs[phase] += stage["secs"]
        return secs

    def check(self, data):
        """A drill compares by itself; here its snapshot is restored once more and compared from outside."""
        restored = self.work / "fetched"
        snapshot = self.record()["backup"]["snapshot"]
        self.call("vault", "fetch", "--to", restored, self.work / "scenario.yaml", snapshot)
        tree.require_same(data.path, restored, self.name)

    def close(self):
        """Stops what still runs."""

    def call(self, *argv):
        subprocess.run([self.program, *argv], check=True, capture_output=True, env=self.env)


def knows(program):
    """Which of its newer options this drillctl has."""

    def says(*argv):
        return subprocess.run([program, *argv], check=True, capture_output=True, text=True).stdout

    return {"read_back": '"read_back"' in says("schema"), "low_memory": "--low-memory" in says("run", "--help")}
