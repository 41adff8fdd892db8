"""The harness's own tests: what it computes, reads and judges. Run by `make bench-quick`."""

import os
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock
from xml.etree import ElementTree

import chart
import goals
import page
import stages
import table
import tree
from bench import Bench
from fit import fit
from meter import Broken, measure
from peers import Age, Rage, Restic, Rustic, stored_bytes
from postgres import PipedDump
from results import GIB, Results
from sets import QUICK, Library

DIVAN = """\
Timer precision: 27 ns
stages          fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ age_seal     13.2 ms       │ 13.5 ms       │ 13.3 ms       │ 13.3 ms       │ 10      │ 10
│               1.3 GB/s      │ 1.1 GB/s      │ 1.2 GB/s      │ 1.2 GB/s      │         │
├─ compress                   │               │               │               │         │
│  ├─ mixed     33 ms         │ 34 ms         │ 33 ms         │ 33 ms         │ 10      │ 10
│  │            510 MB/s      │ 490 MB/s      │ 500 MB/s      │ 500 MB/s      │         │
│  ╰─ noise     3.9 ms        │ 4.1 ms        │ 4 ms          │ 4 ms          │ 10      │ 10
│               6.1 GB/s      │ 5.9 GB/s      │ 6 GB/s        │ 6 GB/s        │         │
╰─ sha256       8.3 ms        │ 8.5 ms        │ 8.4 ms        │ 8.4 ms        │ 10      │ 10
                2.1 GB/s      │ 1.9 GB/s      │ 2 GB/s        │ 2 GB/s        │         │
"""
RATES = {name: 1e9 for kind in stages.KINDS for name in stages.needed(kind)}


def run(data_set, contender, wall_secs, **more):
    figures = {"wall_secs": wall_secs, "cpu_secs": 1, "peak_bytes": 1 << 20, "own_bytes": 100 << 20, "stored_bytes": GIB}
    return {"set": data_set, "contender": contender, "phase_secs": {"backup": wall_secs}, **figures, **more}


def results(runs=(), growth=(), rates=None):
    names = {"cpu": "a", "kernel": "6", "system": "Debian", "file_system": "ext4"}
    machine = {"cores": 2, "memory_bytes": GIB, "programs": {}, **names}
    found = Results.new(QUICK, machine, "today")
    about = {"what": "bytes", "kind": "noise", "count": "1 file", "bytes": GIB}
    found.data |= {"runs": list(runs), "growth": list(growth), "stages": rates or {}}
    found.data["sets"] = {name: about for name in {run["set"] for run in runs}}
    return found


def grown(by, size, wall_secs, own_bytes=100 << 20, low_memory=False):
    figures = {"wall_secs": wall_secs, "cpu_secs": wall_secs, "own_bytes": own_bytes}
    return {"by": by, "size": size, "low_memory": low_memory, **figures}


class Lines(unittest.TestCase):
    def test_points_on_a_line_give_that_line(self):
        line = fit([(1, 5), (2, 7), (4, 11)])
        self.assertAlmostEqual(line.slope, 2)
        self.assertAlmostEqual(line.intercept, 3)
        self.assertAlmostEqual(line.r2, 1)

    def test_points_beside_it_are_told_by_r2(self):
        line = fit([(0, 0), (1, 1), (2, 0), (3, 1)])
        self.assertAlmostEqual(line.slope, 0.2)
        self.assertAlmostEqual(line.r2, 0.2)

    def test_what_stays_the_same_is_a_perfect_flat_line(self):
        self.assertEqual((fit([(1, 4), (9, 4)]).slope, fit([(1, 4), (9, 4)]).r2), (0, 1))

    def test_points_above_each_other_have_no_line(self):
        with self.assertRaises(ValueError):
            fit([(1, 1), (1, 2)])


class Figures(unittest.TestCase):
    def test_a_ratio_is_of_medians_and_says_how_many_times_as_long_the_peer_took(self):
        walls = {"drillctl": (2, 3, 9), "restic": (12, 9, 6)}
        found = results([run("a", who, wall) for who, secs in walls.items() for wall in secs])
        self.assertEqual(found.ratio("a", "restic"), 3)
        self.assertIsNone(found.ratio("a", "rustic"))
        self.assertIsNone(found.ratio("b", "restic"))

    def test_the_limit_is_the_work_of_every_stage_shared_by_the_cores(self):
        # Of a plain byte: read twice, write, digest twice, compress, decompress.
        # Of a sealed one: read, write, digest twice, seal, open.
        self.assertAlmostEqual(stages.limit_secs("noise", 2e9, 1e9, RATES, cores=2), (7 * 2 + 6) / 2)
        self.assertAlmostEqual(stages.limit_secs("noise", 2e9, 1e9, RATES, cores=2, read_back=False), (6 * 2 + 6) / 2)

    def test_the_faster_way_to_seal_sets_the_limit(self):
        faster = RATES | {"aead_seal": 2e9}
        saved = stages.limit_secs("noise", 0, 1e9, RATES, 1) - stages.limit_secs("noise", 0, 1e9, faster, 1)
        self.assertAlmostEqual(saved, 0.5)

    def test_the_share_of_the_limit_is_one_where_the_drill_took_no_longer(self):
        limit = stages.limit_secs("noise", GIB, GIB, RATES, 2)
        self.assertAlmostEqual(results([run("b", "drillctl", limit * 2)], rates=RATES).share("b"), 0.5)

    def test_divans_table_is_read_by_names_and_medians(self):
        expected = {"age_seal": 1.2e9, "compress mixed": 5e8, "compress noise": 6e9, "sha256": 2e9}
        self.assertEqual(stages.parse(DIVAN), expected)


class Goals(unittest.TestCase):
    def verdict(self, found, what):
        return next(goal.verdict for goal in goals.goals(found) if goal.what == what)

    def test_a_goal_is_reached_at_its_bound_and_not_beside_it(self):
        for secs, verdict in ((9, "reached"), (8.9, "**not reached**")):
            found = results([run("a", "drillctl", 3), run("a", "restic", secs)])
            self.assertEqual(self.verdict(found, "a: faster than restic"), verdict)

    def test_what_was_not_measured_is_neither_reached_nor_missed(self):
        self.assertEqual({goal.verdict for goal in goals.goals(results())}, {"not measured"})

    def test_memory_is_judged_by_its_peak_and_by_its_slope(self):
        flat = results(growth=[grown("bytes", GIB, 1, 200 << 20), grown("bytes", 8 * GIB, 8, 228 << 20)])
        steep = results(growth=[grown("bytes", GIB, 1, 200 << 20), grown("bytes", 8 * GIB, 8, 300 << 20)])
        names = ("peak memory on everything", "memory that each further GiB takes")
        self.assertEqual([self.verdict(flat, name) for name in names], ["reached", "reached"])
        self.assertEqual([self.verdict(steep, name) for name in names], ["**not reached**"] * 2)


    def test_low_memory_is_judged_by_its_own_runs_and_they_bend_no_line(self):
        sizes = [grown("bytes", GIB, 1, 200 << 20), grown("bytes", 8 * GIB, 8, 200 << 20)]
        found = results(growth=[*sizes, grown("bytes", 8 * GIB, 80, 120 << 20, low_memory=True)])
        names = ("peak memory on everything", "peak memory with `--low-memory`")
        self.assertEqual([self.verdict(found, name) for name in names], ["reached", "reached"])
        self.assertAlmostEqual(found.line("bytes", "wall_secs").slope, 1)


class Pages(unittest.TestCase):
    def test_a_table_is_as_wide_as_its_widest_cell_and_numbers_stand_to_the_right(self):
        expected = "| who      |   s |\n| -------- | --: |\n| drillctl |   1 |"
        self.assertEqual(table.table(["who", "s"], [["drillctl", 1]]), expected)

    def test_sizes_and_numbers_are_for_people(self):
        self.assertEqual([table.size(size) for size in (None, 3 << 19, 5 * GIB)], ["–", "1.5 MiB", "5.00 GiB"])
        self.assertEqual([table.seconds(secs) for secs in (None, 1.234, 123.45)], ["–", "1.23", "123.5"])

    def test_the_page_has_every_contender_and_tells_what_is_missing(self):
        found = results([run("a", "drillctl", 3), run("a", "restic", 9)], rates=RATES)
        found.data["absent"]["rustic"] = "it isn't there"
        found.data["broken"].append("borg:\nno space")
        text = page.page(found)
        for words in ("| restic ", "3.00 ×", "* rustic is missing: it isn't there.", "* Broken: borg: no space"):
            self.assertIn(words, text)

    def test_figures_are_well_formed_and_have_words_for_those_who_cannot_see_them(self):
        sizes = [grown("files", 10, 1), grown("files", 100, 2)]
        found = results([run("a", "drillctl", 3), run("a", "<restic & co>", 9)], sizes)
        for text in (chart.bars(found), chart.growth(found, "files")):
            words = {part.tag.rpartition("}")[2]: part.text for part in ElementTree.fromstring(text)}
            self.assertTrue(words["title"] and words["desc"])
        self.assertIn("<restic & co> 9.00 s", ElementTree.fromstring(chart.bars(found))[1].text)

    def test_ticks_are_round_and_hold_everything(self):
        self.assertEqual(chart.ticks(8), [0, 2, 4, 6, 8])
        self.assertEqual(chart.ticks(9), [0, 5, 10])


class Meters(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def measure(self, program):
        return measure([sys.executable, "-c", program], self.folder / "log")

    def test_the_memory_and_cpu_time_of_a_grandchild_count(self):
        work = "x = bytearray(1 << 27); import time; until = time.process_time() + 0.6\nwhile time.process_time() < until: pass"
        cost = self.measure(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])")
        self.assertGreater(cost.cpu_secs, 0.6)
        self.assertGreater(min(cost.tree_bytes, cost.largest_bytes), 1 << 27)
        self.assertLess(cost.own_bytes, 1 << 27)

    def test_what_a_command_leaves_behind_is_waited_for(self):
        work = "import time\nwhile time.process_time() < 0.6: pass"
        cost = self.measure(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {work!r}])")
        self.assertGreater(cost.cpu_secs, 0.6)

    def test_a_command_that_fails_is_broken_and_its_last_words_are_told(self):
        with self.assertRaisesRegex(Broken, "no such luck"):
            self.measure("raise SystemExit('no such luck')")


class Programs(unittest.TestCase):
    """On a machine that has none of the peers."""

    def setUp(self):
        nowhere = mock.patch.dict(os.environ, PATH="/nowhere")
        nowhere.start()
        self.addCleanup(nowhere.stop)
        self.bench = SimpleNamespace(scale=QUICK, data={"absent": {}})

    def test_a_quick_run_is_broken_without_what_debian_has(self):
        for peer in (Restic, Age, PipedDump):
            with self.assertRaisesRegex(Broken, f"`{peer.program}` isn't on the path; install it"):
                Bench.require(self.bench, peer)

    def test_a_quick_run_does_without_what_would_have_to_be_compiled(self):
        for peer in (Rustic, Rage):
            Bench.require(self.bench, peer)
        self.assertEqual(self.bench.data["absent"].keys(), {Rustic.name, Rage.name})


class Trees(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.trees = [Path(folder.name) / name for name in ("one", "two")]
        for tree_ in self.trees:
            (tree_ / "sub").mkdir(parents=True)
            (tree_ / "sub/file").write_text("content")
            (tree_ / "link").symlink_to("sub/file")
            os.utime(tree_ / "sub/file", ns=(1, 1))

    def test_equal_trees_are_the_same(self):
        tree.require_same(*self.trees, "it")

    def test_any_difference_is_broken_and_named(self):
        def content(file):
            file.write_text("CONTENT")
            os.utime(file, ns=(1, 1))

        changes = (
            content,
            lambda file: file.chmod(0o600),
            lambda file: os.utime(file, ns=(2, 2)),
            lambda file: file.unlink(),
            lambda file: (file.parent / "file2").touch(),
        )
        for change in changes:
            self.setUp()
            change(self.trees[1] / "sub/file")
            with self.assertRaisesRegex(Broken, "sub/file"):
                tree.require_same(*self.trees, "it")


class Sets(unittest.TestCase):
    def test_sets_are_the_same_each_time_and_as_big_as_they_should_be(self):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            libraries = [Library(Path(folder), QUICK) for folder in (one, two)]
            made = [[library.noise(), library.small(), *library.growing()] for library in libraries]
            for first, second in zip(*made):
                digests = [{path: what[-1] for path, what in tree.describe_tree(data.path).items()} for data in (first, second)]
                self.assertEqual(*digests)
            self.assertEqual([data.bytes for data in made[0][:1]], [QUICK.noise_bytes])
            self.assertEqual(made[0][1].files, QUICK.small_files)
            self.assertEqual(made[0][-1].bytes, 8 * QUICK.part_bytes)
            self.assertEqual(stored_bytes(made[0][0].path), QUICK.noise_bytes)


if __name__ == "__main__":
    unittest.main()
