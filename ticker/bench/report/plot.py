"""Line charts as SVG: written by hand, so that a new measurement is a small diff.

Law: the same figures give the same bytes; no script, no font, no image from elsewhere. Colours
follow the reader's light or dark scheme. Every line is named where it ends, and every point says
its values when pointed at. Source: SVG 2 (W3C), CSS Media Queries 5, "prefers-color-scheme".
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from ticker.bench.report.axis import Axis, Scale, text

WIDTH, HEIGHT = 760, 420
LEFT, TOP, BOTTOM = 72, 84, 56
INSIDE = 10.0  # px between the frame and the outermost dots
CHARACTER = 6.7  # px: a wide guess for 12 px text
ROW = 17.0  # px between two names at the lines' ends
MARKED = 30  # a line of more points has no dots
# Distinct in either scheme, also to those who do not tell red from green; used in this order.
DISTINCT = (
    ("#2a78d6", "#3987e5"),
    ("#eb6834", "#d95926"),
    ("#1baf7a", "#199e70"),
    ("#eda100", "#c98500"),
    ("#e87ba4", "#d55181"),
    ("#008300", "#00a300"),
    ("#4a3aa7", "#9085e9"),
    ("#e34948", "#e66767"),
)
# One hue, for lines that have an order: the last stands out most.
ORDERED = (
    ("#6da7ec", "#256abf"),
    ("#3987e5", "#3987e5"),
    ("#256abf", "#6da7ec"),
    ("#184f95", "#9ec5f4"),
    ("#0d366b", "#cde2fb"),
    ("#03142b", "#f4f9ff"),
)


@dataclass(frozen=True)
class Series:
    """One line: its name and its (x, y) points, from left to right."""

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Bound:
    """A dashed line across the whole chart at one y."""

    label: str
    y: float


def chart(
    title: str,
    x: Axis,
    y: Axis,
    series: Sequence[Series],
    *,
    ordered: bool = False,
    bounds: Sequence[Bound] = (),
    note: str = "",
) -> str:
    """The whole SVG file.

    `ordered` series (percentiles, say) get shades of one colour instead of colours of their own.
    `note` stands small below: what was measured, on what.

    Raises:
        ValueError: no series, more than there are colours, or a value that an axis cannot show.
    """
    most = len(ORDERED if ordered else DISTINCT)
    if not 0 < len(series) <= most:
        raise ValueError(f"{title}: {len(series)} series; from 1 to {most}")
    points = [point for each in series for point in each.points]
    frame = _Frame(
        x.scale([each[0] for each in points]),
        y.scale([each[1] for each in points] + [bound.y for bound in bounds]),
        WIDTH - 16 - _name_width(series),
    )
    notes = textwrap.wrap(note, 115)
    colours = _colours(len(series), ordered=ordered)
    height = HEIGHT + 15 * len(notes) + (8 if notes else 0)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        *_style(colours),
        f'<rect class="surface" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="24" y="32">{escape(title)}</text>',
        f'<text class="label" x="24" y="{TOP - 24}">{escape(y.label)}</text>',
        *frame.grid(x.label),
        *(line for bound in bounds for line in frame.bound(bound)),
        *(
            line
            for each, (colour, _, _) in zip(series, colours, strict=True)
            for line in frame.line(each, colour, x, y)
        ),
        *_names(series, [colour for colour, _, _ in colours], frame),
        *(
            f'<text class="note" x="24" y="{HEIGHT + 8 + 15 * number}">{escape(line)}</text>'
            for number, line in enumerate(notes)
        ),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def stack(charts: Sequence[str]) -> str:
    """Several charts below each other, in one file."""
    if len(charts) == 1:
        return charts[0]
    heights = [int(each.partition(' height="')[2].partition('"')[0]) for each in charts]
    height = sum(heights)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">\n'
    ]
    for place, each in enumerate(charts):
        lines.append(each.replace("<svg ", f'<svg y="{sum(heights[:place])}" ', 1))
    return "".join([*lines, "</svg>\n"])


@dataclass(frozen=True)
class _Frame:
    """The area of the lines, with its scales; `right` in px."""

    x: Scale
    y: Scale
    right: float

    def across(self, value: float) -> float:
        return LEFT + INSIDE + self.x.place(value) * (self.right - LEFT - 2 * INSIDE)

    def up(self, value: float) -> float:
        return HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - BOTTOM - TOP)

    def grid(self, label: str) -> list[str]:
        """Ticks of both axes, a thin line at each of y, and the name of x."""
        base = HEIGHT - BOTTOM
        lines = []
        for value, name in self.y.ticks:
            at = self.up(value)
            lines.append(
                f'<path class="grid" d="M{LEFT} {_px(at)}H{_px(self.right)}"/>'
                f'<text class="tick" x="{LEFT - 8}" y="{_px(at + 4)}" text-anchor="end">'
                f"{escape(name)}</text>"
            )
        for value, name in self.x.ticks:
            at = self.across(value)
            lines.append(
                f'<path class="axis" d="M{_px(at)} {base}v5"/>'
                f'<text class="tick" x="{_px(at)}" y="{base + 19}" text-anchor="middle">'
                f"{escape(name)}</text>"
            )
        middle = (LEFT + self.right) / 2
        return [
            *lines,
            f'<path class="axis" d="M{LEFT} {base}H{_px(self.right)}"/>',
            f'<text class="label" x="{_px(middle)}" y="{base + 41}" text-anchor="middle">'
            f"{escape(label)}</text>",
        ]

    def bound(self, bound: Bound) -> list[str]:
        """A dashed line with its name above its beginning."""
        at = self.up(bound.y)
        return [
            f'<path class="bound" d="M{LEFT} {_px(at)}H{_px(self.right)}"/>',
            f'<text class="tick" x="{LEFT + 6}" y="{_px(at - 5)}">{escape(bound.label)}</text>',
        ]

    def line(self, series: Series, colour: str, x: Axis, y: Axis) -> list[str]:
        """The line, then its dots with their values."""
        places = [(self.across(one), self.up(two)) for one, two in series.points]
        path = "L".join(f"{_px(one)} {_px(two)}" for one, two in places)
        lines = [f'<path class="line {colour}" d="M{path}"/>']
        if len(places) > MARKED:
            return lines
        for (one, two), (across, up) in zip(series.points, places, strict=True):
            told = f"{series.label}: {text(two, y.unit)} at {text(one, x.unit)}"
            if named := dict(x.ticks).get(one):
                told = f"{series.label}: {text(two, y.unit)} at {named}"
            lines.append(
                f'<circle class="dot {colour}" cx="{_px(across)}" cy="{_px(up)}" r="4">'
                f"<title>{escape(told)}</title></circle>"
            )
        return lines


def _names(series: Sequence[Series], colours: Sequence[str], frame: _Frame) -> list[str]:
    """The legend: each series' key and name at the right, as near to its line's end as the
    others let it."""
    ends = sorted((frame.up(each.points[-1][1]), number) for number, each in enumerate(series))
    places = _spread([at for at, _ in ends], TOP, HEIGHT - BOTTOM)
    left = frame.right + 12
    return [
        f'<path class="line {colours[number]}" d="M{_px(left)} {_px(at)}h16"/>'
        f'<text class="name" x="{_px(left + 22)}" y="{_px(at + 4)}">'
        f"{escape(series[number].label)}</text>"
        for at, (_, number) in zip(places, ends, strict=True)
    ]


def _spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Places in ascending order, ROW apart, as near to the wanted ones as that allows."""
    placed: list[float] = []
    for at in wanted:
        placed.append(max(at, placed[-1] + ROW if placed else top))
    limit = bottom
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - ROW
    return placed


def _name_width(series: Sequence[Series]) -> float:
    return 34 + CHARACTER * max(len(each.label) for each in series)


def _colours(count: int, *, ordered: bool) -> list[tuple[str, str, str]]:
    """(class, light, dark) of each series; of an ordered set the whole range, however few."""
    if not ordered:
        return [(f"s{number}", *DISTINCT[number]) for number in range(count)]
    last = len(ORDERED) - 1
    numbers = [number * last // (count - 1) for number in range(count)] if count > 1 else [2]
    return [(f"o{number}", *ORDERED[number]) for number in numbers]


def _style(colours: Sequence[tuple[str, str, str]]) -> list[str]:
    light = [f".{name}{{stroke:{colour}}}" for name, colour, _ in colours]
    dark = [f".{name}{{stroke:{colour}}}" for name, _, colour in colours]
    return [
        "<style>",
        "text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#52514e}",
        ".title{font-size:16px;font-weight:600;fill:#0b0b0b}",
        ".tick,.note{fill:#6f6e69;font-variant-numeric:tabular-nums}.note{font-size:11px}",
        ".name{fill:#0b0b0b}.surface{fill:#fcfcfb}.grid,.axis,.bound,.line{fill:none}",
        ".grid{stroke:#e6e5e0}.axis{stroke:#a5a49d}.bound{stroke:#6f6e69;stroke-dasharray:5 4}",
        ".line{stroke-width:2;stroke-linejoin:round;stroke-linecap:round}",
        ".dot{fill:#fcfcfb;stroke-width:2}",
        *light,
        "@media (prefers-color-scheme:dark){",
        "text{fill:#c3c2b7}.title,.name{fill:#fff}.tick,.note{fill:#9b9a92}",
        ".surface,.dot{fill:#1a1a19}.grid{stroke:#2f2f2d}.axis{stroke:#6f6e69}",
        ".bound{stroke:#9b9a92}",
        *dark,
        "}</style>",
    ]


def _px(value: float) -> str:
    """A tenth of a pixel is fine enough."""
    return f"{value:.1f}".removesuffix(".0")
