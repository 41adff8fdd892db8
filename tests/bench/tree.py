"""Compares a restored tree with its source: names, kinds, modes, times, and content by digest."""

import hashlib
import os
import stat
from concurrent.futures import ProcessPoolExecutor

from meter import Broken

CHUNK = 256


def require_same(source, restored, who):
    """Raises `Broken` unless the trees are the same."""
    expected, found = describe_tree(source), describe_tree(restored)
    if expected == found:
        return
    wrong = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    first = wrong[0]
    raise Broken(
        f"{who}: {len(wrong)} of {len(expected)} paths differ; the first is {os.fsdecode(first)}: "
        f"{found.get(first, 'nothing')} instead of {expected.get(first, 'nothing')}"
    )


def describe_tree(root):
    """What is at each path below `root`."""
    root = os.fsencode(root)
    paths = [os.path.join(folder, name) for folder, folders, files in os.walk(root) for name in folders + files]
    with ProcessPoolExecutor() as pool:
        described = pool.map(describe, paths, chunksize=CHUNK)
        return {os.path.relpath(path, root): what for path, what in zip(paths, described)}


def describe(path):
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        return ("link", os.readlink(path))
    if stat.S_ISDIR(found.st_mode):
        return ("folder", oct(found.st_mode))
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ("file", oct(found.st_mode), found.st_mtime_ns, found.st_size, digest)
