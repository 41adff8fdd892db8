"""Straight lines through measured points, by least squares."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """y = intercept + slope × x; `r2` is the share of the variance that it explains."""

    slope: float
    intercept: float
    r2: float

    def at(self, x):
        return self.intercept + self.slope * x


def fit(points):
    """The line through these (x, y), of which at least two must differ in x."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        raise ValueError("a line needs points that differ in x")
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    line = Line(slope, mean_y - slope * mean_x, 1.0)
    total = sum((y - mean_y) ** 2 for _, y in points)
    rest = sum((y - line.at(x)) ** 2 for x, y in points)
    return line if total == 0 else Line(line.slope, line.intercept, 1 - rest / total)
