"""What each stage costs by itself (`agents/benches/stages.rs`), and the limit that follows from it for a whole drill."""

import os
import re
import subprocess

from meter import Broken

KINDS = ("mixed", "noise")
UNITS = {"B/s": 1, "KB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9, "TB/s": 1e12}
MEDIAN_COLUMN = 2
FULL = ["cargo", "bench", "--locked", "--package", "drill-agents", "--bench", "stages", "--", "--max-time", "2"]
# Once, in the profile that the tests are built in: it shows that they work.
QUICK = [
    "cargo", "test", "--locked", "--workspace", "--bench", "stages", "--", "--bench", "--sample-count", "1", "--sample-size", "1",
]


def measure(quick, sample):
    """Bytes a second of each stage on one core, by `stage` or `stage kind`."""
    env = {**os.environ, "DRILL_BENCH_MIXED": str(sample), "DIVAN_BYTES_FORMAT": "decimal", "DIVAN_COLOR": "never"}
    done = subprocess.run(QUICK if quick else FULL, stdout=subprocess.PIPE, env=env, text=True)
    if done.returncode != 0:
        raise Broken(f"the stages can't be measured: cargo ended with {done.returncode}")
    rates = parse(done.stdout)
    if missing := sorted({stage for kind in KINDS for stage in needed(kind)} - rates.keys()):
        raise Broken(f"the stages' table lacks {', '.join(missing)}:\n{done.stdout}")
    return rates


def parse(table):
    """Reads divan's table: a function's name, its arguments below it if there are any, and a line of rates below each."""
    rates, path = {}, []
    for line in table.splitlines():
        named = re.match(r"((?:[│ ]  )*)[├╰]─ (\w+)", line)
        if named:
            path[len(named[1]) // 3 :] = [named[2]]
        columns = re.findall(r"([\d.]+) ([KMGT]?B/s)", line)
        if columns:
            number, unit = columns[MEDIAN_COLUMN]
            rates[" ".join(path)] = float(number) * UNITS[unit]
    return rates


# The stages that seal and open, each at the faster of two speeds: that of the age crate and that of its cipher alone.
SEAL, OPEN = ("age_seal", "aead_seal"), ("age_open", "aead_open")


def passes(kind, read_back=True):
    """How often a whole drill needs each stage: its names, for each plain byte, and for each sealed byte."""
    return [
        (("read_file",), 1 + read_back, 1),
        (("write_file",), 1, 1),
        (("sha256",), 2, 2),
        ((f"compress {kind}",), 1, 0),
        ((f"decompress {kind}",), 1, 0),
        (SEAL, 0, 1),
        (OPEN, 0, 1),
    ]


def needed(kind):
    """The stages that a drill of such bytes needs."""
    return {name for names, _, _ in passes(kind) for name in names}


def limit_secs(kind, plain_bytes, sealed_bytes, rates, cores, read_back=True):
    """What a drill would take if every core did nothing but the stages that each byte needs."""

    def rate(names):
        return max(rates[name] for name in names)

    work = [
        (plain * plain_bytes + sealed * sealed_bytes) / rate(names) for names, plain, sealed in passes(kind, read_back)
    ]
    return sum(work) / cores
