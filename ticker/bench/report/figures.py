"""The figures of a report by name: flat, with the unit that the name says.

Law: a figure's name has its unit (`_us`, `_kb`, ...). A report's figures are its numbers; those of
    a group (`seen`, `generator`, ...) are `group.name`. The figures of each bench are listed here,
    so that a wrong name is reported before a run; a test compares the list with real runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ticker.bench.report.axis import text
from ticker.bench.report.latencies import PERCENTILES
from ticker.bench.swarm.checks import COUNTS
from ticker.shm.counters import GATEWAY_COUNTERS, GATEWAY_GAUGES

SHORT = (*(f"p{percent:g}" for percent in PERCENTILES), "max")
# facts about the report itself
ABOUT = ("bench", "command", "date", "machine", "versions", "parameters", "void", "bounds")
# prefixes of a short percentile, in the order of the search
PREFIXES = ("update_", "snapshot_", "latency.", "receive_to_publish_")
DIGITS = 4
UNITS = {"us": "us", "ns": "ns", "ms": "ms", "kb": "kb", "bytes": "bytes"}


def unit_of(name: str) -> str:
    """us, ns, ms, kb or bytes; empty for a number of things, a rate, a ratio or a share, and for
    what counts per microsecond, per byte and the like. A group's unit is its members'."""
    group, _, last = name.rpartition(".")
    words = last.split("_")
    if "ratio" in words or "spread" in words:
        return ""
    for place, word in enumerate(words):
        if word in UNITS and (not place or words[place - 1] != "per"):
            return UNITS[word]
    return unit_of(group) if group else ""


def shown(name: str, value: float) -> str:
    """A figure as one reads it: its number in the unit that suits it."""
    unit = unit_of(name)
    if unit in ("us", "ns", "ms"):
        return text(value * {"ns": 0.001, "us": 1, "ms": 1000}[unit], "us", DIGITS)
    if unit in ("kb", "bytes"):
        return text(value * (1000 if unit == "kb" else 1), "bytes", DIGITS)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"


def bare(name: str) -> str:
    """The name without a unit at its end, as it stands beside a value that has one."""
    ending = name.rpartition("_")[2]
    return name.removesuffix(f"_{ending}") if ending in UNITS and ending != "bytes" else name


def numbers(found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """All figures of a report, or of one of its runs, with their full names. `violations` is their
    number; of a list of runs there is none here (see `runs`)."""
    for name, value in found.items():
        if name in ABOUT:
            continue
        if name == "violations":
            yield name, sum(value.values())
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", each) for inner, each in numbers(value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value


def runs(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The runs that a sweep or a search is made of; none of a single run."""
    lists = [value for name, value in found.items() if name not in ABOUT and is_runs(value)]
    return lists[0] if lists else []


def is_runs(value: object) -> bool:
    """Whether a figure is a list of runs."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def resolve(name: str, known: Iterable[str]) -> str | None:
    """The full name of a figure that is given by it, without its unit, or as a short percentile;
    None when no bench that has the `known` figures (names, or patterns like `kills_*`) has it."""
    known = tuple(known)
    short = next((each for each in SHORT if name == each or name.endswith(f".{each}")), "")
    group = name.removesuffix(short) if short else ""
    guesses = [name, *(f"{name}_{unit}" for unit in UNITS)]
    guesses += [f"{group}{prefix}{short}_us" for prefix in PREFIXES if short]
    return next((each for each in guesses if any(fnmatchcase(each, one) for one in known)), None)


def _of(prefix: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{name}" for name in names)


def _durations(prefix: str, *, count: bool = True) -> tuple[str, ...]:
    return _of(prefix, *(("count",) if count else ()), *(f"{short}_us" for short in SHORT))


GENERATOR = _of("generator.", "generator", "busiest_process", "busiest_core", "idlest_core")
CHECKS = (
    *_of("seen.", *COUNTS),
    "violations",
    "prices_not_newest_at_end",
    "clients_lost",
    *_of("trades.", "due", "traded", "late_max_ms"),
    *GENERATOR,
)
CONNECTED = "connected_and_subscribed_per_second"
MEMORY = ("rss", "pss", "private")
FIGURES: dict[str, tuple[str, ...]] = {
    "fanout": (
        "cpu_ratio_to_send_loop",
        "cpu_ratio_to_tight_send_loop",
        "cpu_us_per_client_flush",
        "send_loop_us_per_send",
        "tight_send_loop_us_per_send",
        "bytes_per_client_flush",
        "bytes_per_send",
        "updates_per_client_flush",
        "client_flushes_per_second",
        "encodes_per_client_flush",
        "seconds",
        "send_loop_blocked",
        "gateway_counters.*",
        *_durations("latency."),
        *CHECKS,
    ),
    "rates": (
        "cpu_ratio_to_one_rate",
        *_of("one_", "cpu_us_per_client_flush", "client_flushes_per_second"),
        *_of("different_", "cpu_us_per_client_flush", "client_flushes_per_second"),
        *_of("", "one_updates_per_client_flush", "different_updates_per_client_flush"),
        *CHECKS,
    ),
    "scaling": (
        "cpu_ratio_spread",
        "cpu_us_per_delivery_spread",
        *_of("", "clients", "symbols", "per_client", "ticks", "gateways"),
        *_of("", "subscribers", "flush_interval"),
        "cpu_ratio_to_send_loop",
        "cpu_us_per_delivery",
        "cpu_us_per_client_flush",
        "send_loop_us_per_send",
        "updates_per_client_flush",
        "bytes_per_delivery",
        "deliveries_per_second",
        "ticks_per_second",
        "encodes_per_delivery",
        "generator_busiest_core",
        "run.*",
    ),
    "latency": (
        *_durations("update_"),
        "updates_per_second",
        "client_flushes_per_second",
        "gateway_cpu",
        *_of("gateway_counters.", *GATEWAY_COUNTERS, *GATEWAY_GAUGES),
        *CHECKS,
        "capacity_client_flushes_per_second",
        "share_of_capacity",
        "clients",
    ),
    "capacity": (
        *_of("", "clients", "ticks", "trades_per_second", "deliveries_per_second", "gateway_cpu"),
        *_of("headroom_", "of_core", "over_given"),
        "cpu_seconds_per_million_deliveries",
        "trades_per_delivery",
        *_durations("update_"),
        *(name for name in CHECKS if not name.startswith("seen.")),
        "bound_us",
        "seconds",
        "generator_busiest_core",
        "run.*",
    ),
    "snapshot": (*_durations("snapshot_"), *CHECKS),
    "connections": (
        "kb_per_idle_client",
        *_of("kb_per_client_over_all.", *MEMORY),
        *_of("kb_per_client_over_second_half.", *MEMORY),
        *_of("kb_per_client_after_traffic.", *MEMORY),
        *_of("gateway_kb_without_clients.", *MEMORY),
        *_of("gateway_kb_with_idle_clients.", *MEMORY),
        *_of("kernel_kb_per_socket.", "idle", "after_traffic"),
        CONNECTED,
        *CHECKS,
        "clients",
        *_of("gateway_", *(f"{kind}_kb" for kind in MEMORY)),
    ),
    "crowd": (
        *_of("", "dropped", "delivered", "delivered_per_second", "lagged", "merged", CONNECTED),
        *_durations("update_"),
        "gateway_kb_per_idle_client",
        "gateway_kb_per_client_after",
        "generator_kb_per_client",
        "generator_processes",
        "ticks_per_second",
        "gateways_cpu",
        "gateway_counters.*",
        *CHECKS,
    ),
    "running": (
        *_durations("update_"),
        *_of("", "deliveries_per_second", "lagged", "merged", CONNECTED, "clients_lost"),
        *_durations("snapshot_"),
        *_of("server.", "gateways", "feeds", "symbols", "subscribed_from", "without_price"),
        "server_counters.*",
        *_of("seen.", *COUNTS),
        "violations",
        *GENERATOR,
    ),
    "ingest": (
        "messages",
        "file_bytes",
        "messages_per_second",
        "messages_per_cpu_second",
        "ns_per_message",
        "walk_ns_per_message",
        "book_ns_per_message",
        "cpu_ratio_to_book",
        "symbols_seen",
        "rejected.*",
    ),
    "ingest-udp": (
        "messages_sent",
        "messages_received",
        "messages_lost",
        "messages_per_second",
        "feed_cpu",
        "feed_messages_per_cpu_second",
        *_durations("exchange_to_receive_", count=False),
        *_durations("receive_to_publish_", count=False),
        "feed_counters.*",
        "simulator.*",
    ),
    "box": (
        "rate",
        *_of("messages_", "sent", "received", "lost", "per_second"),
        "trades_per_second",
        "quotes_per_second",
        "rejected",
        "rejected_by_rule.*",
        "feed_not_clean.*",
        "symbols_traded",
        "updates_per_second",
        "client_flushes_per_second",
        *_durations("update_"),
        "gateway_not_clean.*",
        "cpu.*",
        "cores_used",
        "switches_per_second.*",
        "cpu_ns_per_message.*",
        "cpu_us_per_client_flush.*",
        "exchange_to_receive_p99_us",
        "receive_to_publish_p99_us",
        "gateway_counters.*",
        "simulator.*",
        "clients_lagged_or_lost",
        *(name for name in CHECKS if not name.startswith("generator.")),
        "seconds",
        "*_cpu",
    ),
    "bus": (
        *_of("", "events_per_second", "bytes_per_second"),
        *(
            f"{name}_{of}"
            for name in ("nats_server", "relay", "bridge")
            for of in ("cpu", "ns_per_event")
        ),
        *("published", "bridged", "lapped", "dropped", "missed_uncounted"),
        *("lost_frames", "log_lost"),
        *("bridge_flat_out_per_second", "image_rows", "image_ms"),
    ),
    "fleet": (
        *("clients_per_box", "client_flushes_per_second", "bus_bytes_per_second"),
        *("log_terabytes", "total_boxes", "total_cores", "costs.*"),
    ),
    "recorder": (
        "events_per_second",
        "recorder_cpu",
        "cpu_ns_per_event",
        "bytes_per_event",
        *("published", "recorded", "lapped", "dropped", "missed_uncounted"),
        "seconds",
    ),
    "start": ("symbols", *_of("start_", "ms", "best_ms", "worst_ms", "cpu_ms")),
    "store": (
        "trades_per_second",
        "quotes_per_second",
        "store_cpu",
        "cpu_ns_per_trade",
        *("snapshots", "megabytes_per_snapshot"),
        *("published", "in_bars", "records_missed", "missed_uncounted"),
        "seconds",
    ),
    "shm": ("torn", "rows_*", "ring_*", "kills_*", "doorbell_*", "publish_*", "read_*"),
}
# of each bench in the report of all, what stands in its table; the waits do in any case
HIGHLIGHTS: dict[str, tuple[str, ...]] = {
    "ingest": ("messages_per_second", "ns_per_message", "cpu_ratio_to_book"),
    "fanout": ("cpu_ratio_to_send_loop", "cpu_us_per_client_flush", "send_loop_us_per_send"),
    "latency": ("updates_per_second", "gateway_cpu"),
    "connections": ("kb_per_idle_client", CONNECTED),
    "capacity": (
        "capacity",
        "bounded_by",
        "deliveries_per_second",
        "gateway_cpu",
        "headroom_over_given",
        "cpu_seconds_per_million_deliveries",
    ),
}
FIGURES["all"] = tuple(f"{bench}.{name}" for bench in HIGHLIGHTS for name in FIGURES[bench])
