"""What one command costs: wall time, CPU time and memory of everything that it starts.

The command runs below a process of its own (this file as a program), which adopts whatever the command leaves behind: so a
database server that a restore starts is counted with it, and a command that leaves something running is found out.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path

SAMPLE_SECS = 0.2
LEFT_BEHIND_SECS = 10
PR_SET_CHILD_SUBREAPER = 36


class Broken(Exception):
    """A contender that fails, or whose result isn't what it should be."""


@dataclass
class Cost:
    """What a command took. `tree_bytes` is sampled, and shared memory is shared out in it; the others are the kernel's peaks."""

    wall_secs: float
    cpu_secs: float
    tree_bytes: int  # of all its processes together
    own_bytes: int  # of its first process
    largest_bytes: int  # of its largest process

    def __add__(self, later):
        """One command after the other."""
        return Cost(
            self.wall_secs + later.wall_secs,
            self.cpu_secs + later.cpu_secs,
            max(self.tree_bytes, later.tree_bytes),
            max(self.own_bytes, later.own_bytes),
            max(self.largest_bytes, later.largest_bytes),
        )

    @property
    def peak_bytes(self):
        """Memory at its peak: the samples may have missed it, the kernel doesn't."""
        return max(self.tree_bytes, self.largest_bytes)


@dataclass
class Run:
    """One run of one contender: what it took, seconds by phase, and what rests in its repository."""

    cost: Cost
    phase_secs: dict = field(default_factory=dict)
    stored_bytes: int = 0


def measure(argv, log, cwd=None, env=None):
    """Runs the command, its output appended to the file `log`, and returns its `Cost`. Raises `Broken` if it fails."""
    argv = [str(word) for word in argv]
    told, tell = os.pipe()
    with open(log, "ab") as output:
        meter = subprocess.Popen(
            [sys.executable, __file__, str(tell), *argv],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd, env=env, pass_fds=[tell],
        )
    os.close(tell)
    with open(told, encoding="utf-8") as answer:
        text = answer.read()
    if meter.wait() != 0:
        raise Broken(f"{' '.join(argv)} failed:\n{tail(log)}")
    return Cost(**json.loads(text))


def tail(log, lines=12):
    """The last lines of a log."""
    return "\n".join(Path(log).read_text(errors="replace").splitlines()[-lines:])


class Sampler(threading.Thread):
    """Looks at the memory of a process and its descendants now and then."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.tree_bytes, self.own_bytes = pid, 0, 0
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(SAMPLE_SECS):
            self.tree_bytes = max(self.tree_bytes, sum(map(memory_bytes, descendants(os.getpid()))))
            self.own_bytes = max(self.own_bytes, peak_bytes(self.pid))


def descendants(pid):
    """Processes below this one."""
    children = defaultdict(list)
    for name in filter(str.isdigit, os.listdir("/proc")):
        children[parent(name)].append(int(name))
    found, open_ends = [], [pid]
    while open_ends:
        below = children[open_ends.pop()]
        found += below
        open_ends += below
    return found


def parent(pid):
    try:
        # The program's name, in parentheses, may hold anything.
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return None


def memory_bytes(pid):
    """Memory of a process; what it shares is shared out. 0 if it has gone."""
    return kernel_line(f"/proc/{pid}/smaps_rollup", "Pss:")


def peak_bytes(pid):
    """The most resident memory that a process had so far."""
    return kernel_line(f"/proc/{pid}/status", "VmHWM:")


def kernel_line(path, word):
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(word)), 0)


def main():
    tell, argv = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.monotonic()
    command = subprocess.Popen(argv)
    sampler = Sampler(command.pid)
    sampler.start()
    status = command.wait()
    wall = time.monotonic() - began
    wait_for_orphans()
    sampler.over.set()
    sampler.join()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    largest = spent.ru_maxrss << 10
    cost = Cost(wall, spent.ru_utime + spent.ru_stime, sampler.tree_bytes, sampler.own_bytes or largest, largest)
    with open(tell, "w", encoding="utf-8") as answer:
        json.dump(asdict(cost), answer)
    sys.exit(status != 0)


def wait_for_orphans():
    until = time.monotonic() + LEFT_BEHIND_SECS
    while time.monotonic() < until:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.01)
        except ChildProcessError:
            return
    sys.exit("the command left processes behind")


if __name__ == "__main__":
    main()
