"""A small writer of SVG: shapes and text in colours for a light page and a dark one, with words for those who can't see it."""

from xml.sax.saxutils import escape, quoteattr

FONT = "text { font: 13px system-ui, 'DejaVu Sans', sans-serif; } .title { font-weight: 600; font-size: 15px; }"
SHAPES = ".fit { stroke-dasharray: 5 4; stroke-width: 1.5; } .page { stroke: none; }"
# Colour of each kind of shape: what it paints, on a light page, on a dark one.
COLOURS = {
    "page": ("fill", "#ffffff", "#0d1117"),
    "ink": ("fill", "#1f2328", "#e6edf3"),
    "soft": ("fill", "#59636e", "#9198a1"),
    "axis": ("stroke", "#d1d9e0", "#3d444d"),
    "fit": ("stroke", "#818b98", "#7d8590"),
    "ours-1": ("fill", "#0550ae", "#79c0ff"),
    "ours-2": ("fill", "#218bff", "#388bfd"),
    "ours-3": ("fill", "#80ccff", "#1f6feb"),
    "ours-4": ("fill", "#d0e7ff", "#1b3a66"),
    "theirs-1": ("fill", "#424a53", "#b1bac4"),
    "theirs-2": ("fill", "#8c959f", "#848d97"),
    "theirs-3": ("fill", "#c4ccd4", "#545d68"),
}


def style():
    def rules(which):
        return " ".join(f".{kind} {{ {given[0]}: {given[which]}; }}" for kind, given in COLOURS.items())

    return f"{FONT} {SHAPES}\n{rules(1)}\n@media (prefers-color-scheme: dark) {{ {rules(2)} }}"


class Svg:
    """A picture of this size, with a title and a description in words."""

    def __init__(self, width, height, title, description):
        self.size, self.title, self.description, self.shapes = (width, height), title, description, []
        self.rect(0, 0, width, height, "page")

    def rect(self, x, y, width, height, kind):
        self._add("rect", x=x, y=y, width=width, height=height, kind=kind)

    def line(self, start, end, kind="axis"):
        self._add("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], kind=kind)

    def dot(self, centre, kind):
        self._add("circle", cx=centre[0], cy=centre[1], r=4, kind=kind)

    def text(self, x, y, words, anchor="start", kind="ink"):
        self._add("text", words, x=x, y=y, text_anchor=anchor, kind=kind)

    def _add(self, name, words="", kind="", **attributes):
        attributes["class"] = kind
        given = " ".join(f"{key.replace('_', '-')}={quoteattr(plain(value))}" for key, value in attributes.items())
        self.shapes.append(f"<{name} {given}>{escape(words)}</{name}>")

    def __str__(self):
        width, height = self.size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'role="img" aria-labelledby="title description">'
        )
        words = f'<title id="title">{escape(self.title)}</title>\n<desc id="description">{escape(self.description)}</desc>'
        return "\n".join([head, words, f"<style>{style()}</style>", *self.shapes, "</svg>\n"])


def plain(value):
    """A number without more digits than a picture can show."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
