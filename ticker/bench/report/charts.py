"""`--plot`: the chart of a report.

Law: a chart is made of a report alone, so an old report's JSON gives the same chart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hdrh.histogram import HdrHistogram

from ticker.bench.report.axis import Axis, text
from ticker.bench.report.figures import ABOUT, SHORT
from ticker.bench.report.plot import Bound, Series, chart, stack

Report = dict[str, Any]
LATENCY = "latency"
# of 1,000,000: how many are above
CURVE = (500_000, 250_000, 100_000, 50_000, 10_000, 5_000, 1_000, 500, 100)
NAMED = {500_000: "p50", 100_000: "p90", 10_000: "p99", 1_000: "p99.9", 100: "p99.99"}
BEYOND = 10  # where the maximum stands
PERCENTILE = Axis(
    "percentile",
    log=True,
    ticks=(*((1e6 / above, name) for above, name in NAMED.items()), (1e6 / BEYOND, "max")),
)


def draw(found: Report) -> str:
    """The SVG of a report.

    Raises:
        ValueError: it has nothing to plot; the message lists the benches that have.
    """
    drawing = CHARTS.get(found["bench"])
    if drawing is None:
        raise ValueError(f"{found['bench']} has nothing to plot; {', '.join(CHARTS)} have")
    return drawing(found)


def note(found: Report) -> str:
    """The text below a chart: command, machine, versions."""
    machine, versions = found["machine"], found["versions"]
    at = f"ticker {versions['ticker']}" + (
        f" ({versions['commit']})" if "commit" in versions else ""
    )
    void = f" VOID: {found['void']}" if found.get("void") else ""
    return f"{found['command']} · {machine['cpu']}, {machine['cores']} cores · {at}.{void}"


def latency(found: Report) -> str:
    """Percentiles over load of a sweep; the percentile curve of a single run."""
    if "sweep" not in found:
        return curve(found, "From a trade to its update's receipt", {"update": "update"})
    return over_load(
        found,
        "From a trade to its update's receipt, over load",
        Axis("share of what one core could deliver", unit="share"),
        "share_of_capacity",
        found["sweep"],
    )


def over_load(
    found: Report, title: str, x: Axis, figure: str, rows: list[Report], *bounds: Bound
) -> str:
    """The percentiles of several runs over a figure of each."""
    rows = sorted((row for row in rows if row["update_count"]), key=lambda row: float(row[figure]))
    series = [
        Series(name, [(row[figure], max(row[f"update_{name}_us"], 1.0)) for row in rows])
        for name in SHORT
    ]
    y = Axis(LATENCY, unit="us", log=True)
    return chart(title, x, y, series, ordered=True, bounds=bounds, note=note(found))


def curve(found: Report, title: str, names: dict[str, str]) -> str:
    """Percentiles of single runs: label -> prefix of the figures."""
    series = [Series(label, _percentiles(found, prefix)) for label, prefix in names.items()]
    if not any(value for each in series for _, value in each.points):
        raise ValueError(f"{found['bench']}: nothing was measured")
    return chart(title, PERCENTILE, Axis(LATENCY, unit="us"), series, note=note(found))


def _percentiles(found: Report, prefix: str) -> list[tuple[float, float]]:
    """Points of the curve: of the whole histogram if the report has it, else its figures."""
    last = (1e6 / BEYOND, found[f"{prefix}_max_us"])
    if f"{prefix}_histogram" not in found:
        return [
            *((1e6 / above, found[f"{prefix}_{name}_us"]) for above, name in NAMED.items()),
            last,
        ]
    percents = {100 - above / 1e4: above for above in CURVE}
    whole = HdrHistogram.decode(found[f"{prefix}_histogram"])
    values = whole.get_percentile_to_value_dict(list(percents))
    points = [(1e6 / percents[each], value / 1000) for each, value in sorted(values.items())]
    return [*((nines, min(value, last[1])) for nines, value in points), last]


def snapshot(found: Report) -> str:
    """The percentile curve of the waits."""
    return curve(found, "From a subscribe to its snapshots", {"snapshot": "snapshot"})


def crowd(found: Report) -> str:
    """The percentile curve of a crowd's updates."""
    clients = text(found["parameters"]["clients"], "count")
    return curve(found, f"From a trade to its update's receipt, {clients} clients", UPDATE)


def running(found: Report) -> str:
    """The percentile curve of a server that ran already."""
    return curve(found, "From a trade to its update's receipt, at a running server", UPDATE)


def ingest(found: Report) -> str:
    """The two waits of a message."""
    names = {
        "exchange to receive": "exchange_to_receive",
        "receive to publish": "receive_to_publish",
    }
    return curve(found, "A message's way through the feed worker", names)


def connections(found: Report) -> str:
    """Memory of the worker over its clients."""
    series = [
        Series(
            label, [(row["clients"], 1000 * row[f"gateway_{kind}_kb"]) for row in found["memory"]]
        )
        for label, kind in (("resident", "rss"), ("private", "private"))
    ]
    size = Axis("memory of the gateway worker", unit="bytes")
    return chart("Memory over clients", Axis("clients"), size, series, note=note(found))


def scaling(found: Report) -> str:
    """Deliveries, what they cost, and their ratio to the C loop, over what grows."""
    rows = [row for row in found["points"] if not row["void"]]
    if len(rows) < 2:
        raise ValueError("scaling: fewer than two points are not void")
    values = [float(row[found["over"]]) for row in rows]
    ticks = tuple((value, f"{value:,.10g}") for value in values)
    x = Axis(found["what"], log=max(values) > 20 * min(values), ticks=ticks)

    def line(label: str, figure: str) -> Series:
        return Series(label, [(row[found["over"]], row[figure]) for row in rows])

    delivered = chart(
        f"Deliveries over {found['what']}",
        x,
        Axis("per second", log=True),
        [
            Series(
                "one CPU second",
                [(row[found["over"]], round(1e6 / row["cpu_us_per_delivery"])) for row in rows],
            ),
            line("measured", "deliveries_per_second"),
        ],
    )
    cost = chart(
        f"Cost over {found['what']}",
        x,
        Axis("CPU", unit="us"),
        [
            line("client flush", "cpu_us_per_client_flush"),
            line("send of the C loop", "send_loop_us_per_send"),
            line("delivery", "cpu_us_per_delivery"),
        ],
    )
    ratio = chart(
        f"Beside a bare C loop, over {found['what']}",
        x,
        Axis("CPU of a client flush ÷ CPU of a send of the C loop", unit="ratio"),
        [line("ratio", "cpu_ratio_to_send_loop")],
        bounds=[Bound("as many bytes on as many sockets, and nothing else", 1.0)],
        note=note(found),
    )
    return stack([delivered, cost, ratio])


def capacity(found: Report) -> str:
    """The percentiles of each step over its load, with the bound."""
    varied = found["parameters"]["vary"]
    figure = "ticks" if varied == "rate" else "clients"
    # a load that was held for longer tells more than its short step
    steps = {row[figure]: row for row in found["steps"] if row["update_count"]}
    values = sorted(steps)
    bound = Bound(f"bound {text(found['bound_us'], 'us')}", found["bound_us"])
    x = Axis(found["vary"], log=bool(values) and values[-1] > 20 * values[0])
    rows = [steps[value] for value in values]
    return over_load(found, f"Capacity: {found['capacity']}", x, figure, rows, bound)


def every(found: Report) -> str:
    """The charts of all benches in it that have one."""
    about = {name: found[name] for name in ABOUT if name in found}
    drawn = []
    for name, part in found.items():
        if name not in ABOUT and name in CHARTS and len(part) > 1:
            parameters = {**found["parameters"], "vary": "clients"}
            whole = {**about, **part, "bench": name, "parameters": parameters}
            drawn.append(draw(whole))
    if not drawn:
        raise ValueError("all: no bench ran that has something to plot")
    return stack(drawn)


UPDATE = {"update": "update"}
CHARTS: dict[str, Callable[[Report], str]] = {
    "latency": latency,
    "snapshot": snapshot,
    "crowd": crowd,
    "connections": connections,
    "scaling": scaling,
    "capacity": capacity,
    "ingest-udp": ingest,
    "running": running,
    "all": every,
}
