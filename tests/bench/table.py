"""The tables, in Markdown that also reads well in a terminal."""

from drill import READ_BACK, WRITTEN
from goals import goals

MIB, GIB = 1 << 20, 1 << 30
NOTHING = "–"


def table(head, rows, left=1):
    """A table whose columns are as wide as they must be; all but the first `left` are aligned to the right."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(head))]

    def line(row):
        padded = (cell.ljust(width) if at < left else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths)))
        return f"| {' | '.join(padded)} |"

    rule = ["-" * width if at < left else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
    return "\n".join([line(cells[0]), f"| {' | '.join(rule)} |", *map(line, cells[1:])])


def seconds(value):
    return NOTHING if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def number(value, unit="", places=1):
    return NOTHING if value is None else f"{value:,.{places}f}{unit and ' ' + unit}"


def size(value):
    """Bytes for people."""
    if value is None:
        return NOTHING
    return f"{value / GIB:.2f} GiB" if value >= GIB else f"{value / MIB:.1f} MiB"


def drills(results, data_set):
    """Everyone on one set."""
    head = ["whole drill", "wall s", "CPU s", "peak memory", "stored", "backup s", "restore s", "verify s", "times drillctl's"]
    rows = [
        [
            contender,
            *(seconds(results.median(data_set, contender, what)) for what in ("wall_secs", "cpu_secs")),
            *(size(results.median(data_set, contender, what)) for what in ("peak_bytes", "stored_bytes")),
            *(seconds(results.phases(data_set, contender).get(phase)) for phase in ("backup", "restore", "verify")),
            number(results.ratio(data_set, contender), "×", 2),
        ]
        for contender in results.contenders(data_set)
    ]
    return table(head, rows)


def limits(results):
    """How near the drills came to what the stages allow."""
    modes = ((READ_BACK, True), (WRITTEN, False))

    def took(data_set, who):
        return seconds(results.median(data_set, who, "wall_secs"))

    rows = [
        [data_set, who, seconds(limit), took(data_set, who), percent(results.share(data_set, mode))]
        for data_set in "abc"
        for who, mode in modes
        if (limit := results.limit_secs(data_set, mode))
    ]
    return table(["set", "drill", "limit s", "took s", "share"], rows, left=2)


def percent(share):
    return number(share and share * 100, "%", 0)


def stages(results):
    rows = [[f"`{name}`", number(rate / 1e9, "GB/s", 2)] for name, rate in results.data["stages"].items()]
    return table(["stage", "on one core"], rows)


def growth(results, by):
    """The growing data, and its lines."""
    def amount(run):
        return size(run["size"]) if by == "bytes" else f"{run['size']:,}"

    rows = [
        [amount(run), "yes" if low_memory else "no", seconds(run["wall_secs"]), seconds(run["cpu_secs"]), size(run["own_bytes"])]
        for low_memory in (False, True)
        for run in results.growth(by, low_memory)
    ]
    return table([by, "`--low-memory`", "wall s", "CPU s", "peak memory"], rows, left=2)


def lines(results, by):
    """Slope, intercept and fit of what grows."""
    each, unit = ("GiB", 1) if by == "bytes" else ("100,000 files", 100_000)
    figures = (("wall time", "wall_secs", "s", 1), ("CPU time", "cpu_secs", "s", 1), ("peak memory", "own_bytes", "MiB", MIB))
    rows = []
    for name, what, of, scale in figures:
        if line := results.line(by, what):
            per = number(line.slope * unit / scale, of, 2)
            rows.append([name, per, number(line.intercept / scale, of, 2), f"{line.r2:.4f}"])
    return table(["figure", f"for each {each}", "at nothing", "r²"], rows)


def verdicts(results):
    def row(goal):
        bound = f"{'at least' if goal.least else 'at most'} {goal.bound:g} {goal.unit}"
        return [goal.what, bound, number(goal.measured, goal.unit, 2), goal.verdict]

    return table(["goal", "to reach", "measured", "verdict"], map(row, goals(results)), left=2)


def machine(results):
    about = results.data["machine"]
    rows = [
        ["measured", results.data["made_at"]],
        ["processor", f"{about['cpu']}, {about['cores']} cores"],
        ["memory", size(about["memory_bytes"])],
        ["system", f"{about['system']}, Linux {about['kernel']}, {about['file_system']}"],
        *([name, version] for name, version in about["programs"].items()),
    ]
    return table(["", ""], rows, left=2)


def disk(results):
    """What the disk does with set b, for comparison."""
    probe = results.data["disk"]
    rows = [
        [what, seconds(probe[key]), number(probe["bytes"] / probe[key] / 1e6, "MB/s", 0)]
        for what, key in (("written and synced", "write_secs"), ("read from the disk", "read_secs"))
    ]
    return table(["the bytes of b", "s", "rate"], rows)
