"""Where the numbers come from: the machine, the programs, the disk."""

import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path

PIECE = 1 << 20
# How each program tells its version, and what it is called here.
VERSIONS = {
    "restic": ["restic", "version"],
    "rustic": ["rustic", "--version"],
    "borg": ["borg", "--version"],
    "age": ["age", "--version"],
    "rage": ["rage", "--version"],
    "tar": ["tar", "--version"],
    "zstd": ["zstd", "--version"],
    "pg_dump": ["pg_dump", "--version"],
    "s3s-fs": ["s3s-fs", "--version"],
}


def describe(folder, drillctl):
    """The machine, as far as it can matter."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "file_system": file_system(folder),
        "programs": programs(drillctl),
    }


def cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def cpu_model():
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def file_system(folder):
    told = subprocess.run(["df", "--output=fstype", folder], check=True, capture_output=True, text=True)
    return told.stdout.splitlines()[1].strip()


def programs(drillctl):
    """Version of each program that is here."""
    commands = {"drillctl": [drillctl, "--version"], **VERSIONS}
    return {name: version(argv) for name, argv in commands.items() if shutil.which(argv[0])}


def version(argv):
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return re.search(r"\d+(\.\d+)+[\w.+-]*", told)[0]


def probe_disk(source, copy):
    """What the disk does with the same bytes: seconds to write them, until they are on it, and to read them from it."""
    began = time.monotonic()
    with open(source, "rb") as reading, open(copy, "wb") as writing:
        while piece := reading.read(PIECE):
            writing.write(piece)
        os.fsync(writing.fileno())
    written = time.monotonic()
    with open(copy, "rb", buffering=0) as reading:
        os.posix_fadvise(reading.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        room = bytearray(PIECE)
        while reading.readinto(room):
            pass
    return {"bytes": source.stat().st_size, "write_secs": written - began, "read_secs": time.monotonic() - written}
