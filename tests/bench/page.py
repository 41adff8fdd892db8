"""The page of results: every table and figure, in the order in which they are read."""

import table

HEAD = """\
# Results

Made by `make bench`; don't edit it. [What was measured, and how](README.md).
"""


def page(results):
    """`results.md`."""
    sections = (warning, goals, troubles, sets, limits, growth, machine)
    return "\n".join([HEAD, *(part for section_of in sections for part in section_of(results))])


def warning(results):
    if results.data["scale"] == "quick":
        yield "Made with little data, to see that everything works: these figures say nothing about speed.\n"


def goals(results):
    yield section("Goals", table.verdicts(results))


def troubles(results):
    """What is missing from the tables, and why."""
    notes = [f"* {name} is missing: {why}." for name, why in results.data["absent"].items()]
    notes += [f"* Broken: {' '.join(what.split())}" for what in results.data["broken"]]
    if notes:
        yield section("Not measured", "\n".join(notes))


def sets(results):
    yield section("Whole drills", figure("wall.svg", "Wall time of drillctl and its peers on each data set."))
    for name in results.sets():
        about = results.data["sets"][name]
        title = f"{name}: {about['what']}, {about['count']}, {table.size(about['bytes'])}"
        yield section(title, table.drills(results, name), level=3)
    if results.data["disk"]:
        yield section("The disk by itself", table.disk(results), level=3)


def limits(results):
    if results.data["stages"]:
        yield section("Limits", table.limits(results) + "\n\n" + table.stages(results))


def growth(results):
    for by, name in (("bytes", "bytes"), ("files", "number of files")):
        if results.growth(by):
            picture = figure(f"growth-{by}.svg", f"Wall time, CPU time and memory over the {name}, with fitted lines.")
            yield section(f"Growth by {name}", "\n\n".join([picture, table.growth(results, by), table.lines(results, by)]))


def machine(results):
    yield section("Machine and programs", table.machine(results))


def section(title, text, level=2):
    return f"{'#' * level} {title}\n\n{text}\n"


def figure(name, words):
    return f"![{words}]({name})"
