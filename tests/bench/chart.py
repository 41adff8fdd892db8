"""The figures: bars of everyone on each data set, and what grows with its fitted line."""

import math

from drill import READ_BACK
from svg import Svg
from table import MIB, number, seconds, size

WIDTH, MARGIN, NAMES, VALUES = 860, 24, 190, 120
TITLE, LEGEND, TOP = 34, 60, 98
BAR, ROW, PANEL = 18, 25, 48
PHASES = {"backup": 1, "restore": 2, "verify": 3, "other": 4}
PLOT_TOP, PLOT_BOTTOM, PLOT_LABELS, TICKS = 88, 280, 52, 4


def bars(results):
    """Wall time by phase; one panel a data set, each with a scale of its own."""
    shown = [(name, results.contenders(name)) for name in results.sets() if results.contenders(name)]
    height = TOP + sum(PANEL + ROW * len(contenders) for _, contenders in shown)
    svg = Svg(WIDTH, height, "Wall time of whole drills", in_words(results, shown))
    svg.text(MARGIN, TITLE, "Wall time of whole drills; shorter is better", kind="ink title")
    legend(svg)
    top = TOP
    for name, contenders in shown:
        about = results.data["sets"][name]
        svg.text(MARGIN, top, f"{name}: {about['what']}, {about['count']}, {size(about['bytes'])}", kind="soft")
        panel(svg, results, name, top + 14)
        top += PANEL + ROW * len(contenders)
    return str(svg)


def in_words(results, shown):
    def one(data_set, contender):
        return f"{contender} {seconds(results.median(data_set, contender, 'wall_secs'))} s"

    return " ".join(f"Set {name}: {', '.join(one(name, who) for who in contenders)}." for name, contenders in shown)


def legend(svg):
    for at, (phase, shade) in enumerate(PHASES.items()):
        x = MARGIN + at * 92
        svg.rect(x, LEGEND - 11, 12, 12, colour(READ_BACK, phase))
        if shade < 4:
            svg.rect(x + 14, LEGEND - 11, 12, 12, colour("", phase))
        svg.text(x + (32 if shade < 4 else 18), LEGEND, phase, kind="soft")
    svg.text(WIDTH - MARGIN, LEGEND, "blue: drillctl · grey: peers", anchor="end", kind="soft")


def colour(contender, phase):
    ours = contender.startswith(READ_BACK)
    return f"ours-{PHASES[phase]}" if ours else f"theirs-{PHASES[phase]}"


def panel(svg, results, data_set, top):
    contenders = results.contenders(data_set)
    longest = max(results.median(data_set, who, "wall_secs") for who in contenders)
    room = WIDTH - 2 * MARGIN - NAMES - VALUES
    for row, who in enumerate(contenders):
        y, x = top + row * ROW, MARGIN + NAMES
        svg.text(x - 10, y + 13, who, anchor="end")
        for phase, secs in results.phases(data_set, who).items():
            width = secs / longest * room
            svg.rect(x, y, width, BAR, colour(who, phase))
            x += width
        times = results.ratio(data_set, who)
        against = f" ({number(times, '×')})" if times and who != READ_BACK else ""
        svg.text(x + 8, y + 13, f"{seconds(results.median(data_set, who, 'wall_secs'))} s{against}")


def growth(results, by):
    """Time and memory over the size, with the lines that fit them."""
    unit, of = (1 << 30, "GiB") if by == "bytes" else (1, "files")
    figures = (("wall time, s", "wall_secs", 1), ("CPU time, s", "cpu_secs", 1), ("peak memory, MiB", "own_bytes", MIB))
    lines = [results.line(by, what) for _, what, _ in figures]
    words = "; ".join(f"{name}: r² {line.r2:.4f}" for (name, _, _), line in zip(figures, lines))
    title = "A whole drill of growing data"
    svg = Svg(WIDTH, PLOT_BOTTOM + 54, title, f"{title}, over {of}, with fitted lines. {words}.")
    svg.text(MARGIN, TITLE, title, kind="ink title")
    slot = (WIDTH - 2 * MARGIN) / len(figures)
    for at, ((name, what, scale), line) in enumerate(zip(figures, lines)):
        points = [(run["size"] / unit, run[what] / scale) for run in results.growth(by)]
        left = MARGIN + at * slot + PLOT_LABELS
        plot(svg, left, slot - PLOT_LABELS - 16, points, lambda x, line=line, scale=scale: line.at(x) / scale)
        svg.text(left - PLOT_LABELS, PLOT_TOP - 24, f"{name} · r² {line.r2:.3f}", kind="soft")
        svg.text(left + slot - PLOT_LABELS - 16, PLOT_BOTTOM + 40, of, anchor="end", kind="soft")
    return str(svg)


def plot(svg, left, width, points, line):
    """Points and their line, on axes that begin at nothing."""
    end_x = points[-1][0]
    ticks_x, ticks_y = ticks(end_x), ticks(max(line(end_x), *(y for _, y in points)))

    def place(x, y):
        across, up = x / ticks_x[-1], max(y, 0) / ticks_y[-1]
        return left + across * width, PLOT_BOTTOM - up * (PLOT_BOTTOM - PLOT_TOP)

    for tick in ticks_y:
        svg.line(place(0, tick), place(ticks_x[-1], tick))
        svg.text(left - 8, place(0, tick)[1] + 4, short(tick), anchor="end", kind="soft")
    for tick in ticks_x:
        svg.text(place(tick, 0)[0], PLOT_BOTTOM + 20, short(tick), anchor="middle", kind="soft")
    svg.line(place(0, line(0)), place(end_x, line(end_x)), "fit")
    for x, y in points:
        svg.dot(place(x, y), "ours-2")


def ticks(most):
    """Round numbers from nothing to `most` or a little above, a few of them."""
    rough = max(most, 1e-9) / TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough)
    return [step * at for at in range(math.ceil(most / step) + 1)]


def short(value):
    """A number on an axis."""
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e4 else f"{value:.10g}"
