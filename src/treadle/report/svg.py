"""Drawing SVG by hand: escaped elements, scales, sane ticks, and the frame of a chart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

LETTER_WIDTH = 8.0  # of a row's name on a narrow page, in units of the drawing
TINY = 1e-200


def tag(name: str, *inside: object, **attributes: object) -> Markup:
    """Return one element; everything that is not markup already is escaped.

    A trailing underscore is dropped from an attribute's name and others become dashes.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value))
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, _together(inside))


def label(x: float, y: float, words: object, class_: str = "tick", **attributes: object) -> Markup:
    """Return a text."""
    return tag("text", words, x=x, y=y, class_=class_, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def dot(x: float, y: float, radius: float, class_: str, hover: str = "") -> Markup:
    """Return a circle, with words that show when the pointer rests on it."""
    return tag("circle", tag("title", hover) if hover else "", cx=x, cy=y, r=radius, class_=class_)


def path(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """Return straight lines through points."""
    steps = " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))
    return tag("path", d=steps, class_=class_)


def drawing(width: float, height: float, says: str, *inside: object, class_: str = "") -> Markup:
    """Return a whole drawing that says in words what it shows, for those who do not see it."""
    return tag(
        "svg",
        *inside,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=says,
        class_=f"chart {class_}".strip(),
    )


@dataclass(frozen=True)
class Scale:
    """Where a value stands between two edges of the drawing.

    low, high:   the values at the edges
    start, end:  the places of the edges
    logarithmic: equal ratios at equal distances; low must be above 0
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        bent = self._bend(min(max(value, self.low), self.high))
        share = (bent - self._bend(self.low)) / (self._bend(self.high) - self._bend(self.low))
        return self.start + share * (self.end - self.start)

    def _bend(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value

    def ticks(self, most: int = 5, least_stride: float = 0.0) -> list[float]:
        """Return round values inside, about as many as asked for at most."""
        if self.logarithmic:
            return _decade_ticks(self.low, self.high, most)
        stride = nice_stride(max((self.high - self.low) / most, least_stride))
        first, last = math.ceil(self.low / stride - 1e-9), math.floor(self.high / stride + 1e-9)
        return [i * stride for i in range(first, last + 1)]


def spanning(
    values: Iterable[float], start: float, end: float, *, air: float = 0.06, log: bool = False
) -> Scale:
    """Return a scale that holds all values with a little air around them."""
    known = list(values)
    low, high = min(known, default=0.0), max(known, default=1.0)
    if log and low > TINY and 40 < high / low < 1e15:
        margin = (high / low) ** air
        return Scale(low / margin, high * margin, start, end, logarithmic=True)
    room = (high - low) * air if high - low > abs(high) * 1e-9 else abs(high) * 0.1
    room = room if room > TINY else 1.0
    return Scale(low - room, high + room, start, end)


def nice_stride(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(max(least, TINY)))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= least * (1 - 1e-9))


def tick_words(value: float, stride: float) -> str:
    """Return a tick's number with just the decimals its distance to the next calls for."""
    if value == 0:
        return "0"
    if stride < 1e-5 or abs(value) >= 1e6:
        return f"{value:.4g}".replace("-", "−")
    decimals = max(0, -math.floor(math.log10(stride) + 1e-9))
    return f"{value:,.{decimals}f}".replace("-", "−")


@dataclass(frozen=True)
class Frame:
    """The axes of a chart: light lines across, numbers at the edges, words on what they are."""

    x: Scale
    y: Scale
    x_words: str
    y_words: str
    x_format: Callable[[float], str] | None = None
    y_format: Callable[[float], str] | None = None
    x_whole: bool = False

    def draw(self) -> Markup:
        """Return grid, ticks and axis words. The y words stand level, above the axis."""
        floor, left = self.y.start, self.x.start
        parts = [*self._rows(), *self._columns()]
        parts.append(line(left, floor, self.x.end, floor, "axis"))
        parts.append(label((left + self.x.end) / 2, floor + 34, self.x_words, "axis-words middle"))
        if self.y_words:
            parts.append(label(4, self.y.end - 14, self.y_words, "axis-words"))
        return _together(parts)

    def _rows(self) -> Iterable[Markup]:
        ticks = self.y.ticks(7)
        for place, value in enumerate(ticks):
            at = self.y(value)
            yield line(self.x.start, at, self.x.end, at, "grid")
            words = self.y_format(value) if self.y_format else tick_row(ticks, self.y)[place]
            yield label(self.x.start - 6, at + 4, words, "tick end")

    def _columns(self) -> Iterable[Markup]:
        most = min(8, max(2, int((self.x.end - self.x.start) / 70)))
        ticks = self.x.ticks(most, least_stride=1.0 if self.x_whole else 0.0)
        for place, value in enumerate(ticks):
            words = self.x_format(value) if self.x_format else tick_row(ticks, self.x)[place]
            yield line(self.x(value), self.y.start, self.x(value), self.y.start + 4, "axis")
            yield label(self.x(value), self.y.start + 17, words, "tick middle")


def tick_row(ticks: Sequence[float], scale: Scale) -> list[str]:
    """Return the words of an axis's ticks."""
    if scale.logarithmic or len(ticks) < 2:
        return [f"{value:,.10g}" if 1e-4 <= value < 1e9 else f"{value:.1g}" for value in ticks]
    largest = max(map(abs, ticks))
    unit, letter = (1e6, "M") if largest >= 1e6 else (1e3, "k") if largest >= 1e5 else (1.0, "")
    stride = (ticks[1] - ticks[0]) / unit
    return [tick_words(value / unit, stride) + letter * (value != 0) for value in ticks]


def _decade_ticks(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [m * 10.0**d for d in decades for m in steps if low <= m * 10.0**d <= high]
        if len(ticks) <= most + 1:
            break
    return ticks[:: max(1, math.ceil(len(ticks) / (most + 1)))]


def _short(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def _together(parts: Iterable[object]) -> Markup:
    return Markup("").join(escape(part) for part in parts)
