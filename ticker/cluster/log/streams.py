"""The log of a feed as a stream of JetStream: its name, its settings, and what servers say of it.

Law: no I/O and no clock. Each feed has a stream of its own, so that its numbers grow by one with
each frame of the feed.
Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from ticker.cluster.subjects import Subjects
from ticker.config import ClusterConfig, LogConfig
from ticker.errors import DecodeError

API = "$JS.API"
NOT_FOUND = 10059
"""The number of the error "stream not found"."""
DAY = 86_400 * 1_000_000_000
GIGABYTE = 1_000_000_000
FLOW = b"$JS.FC."
ACK = b"$JS.ACK."
PREFIX = "tk:"


def stream_name(cluster: str, feed: str) -> str:
    """The name of a feed's stream. No name of a cluster or feed has a colon."""
    return f"{PREFIX}{cluster}:{feed}"


def named_in(stream: str) -> tuple[str, str] | None:
    """The cluster and the feed of a stream; None: it is another's."""
    parts = stream.removeprefix(PREFIX).split(":")
    return (parts[0], parts[1]) if stream.startswith(PREFIX) and len(parts) == 2 else None


def settings(cluster: ClusterConfig, log: LogConfig, feed: str) -> dict[str, Any]:
    """The stream as it is to be: the keys of the server's configuration of it."""
    subjects = Subjects(cluster.name, feed, cluster.lane, cluster.shards, cluster.pinned)
    return {
        "name": stream_name(cluster.name, feed),
        "subjects": [*subjects.deltas, subjects.images, subjects.checkpoints],
        "retention": "limits",
        "discard": "old",
        "storage": "file",
        "max_age": int(log.retention_days * DAY),
        "max_bytes": int(log.max_gigabytes * GIGABYTE),
        "num_replicas": log.replicas,
        "compression": log.compression,
        "metadata": {
            "ticker.shards": str(cluster.shards),
            "ticker.pinned": " ".join(cluster.pinned),
            "ticker.lane": cluster.lane,
            "ticker.checkpoint": str(log.checkpoint_interval),
        },
    }


def differs(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a stream has to be updated. The server adds metadata of its own."""
    for key, value in wanted.items():
        there = found.get(key)
        if key == "metadata":
            there = {name: (there or {}).get(name) for name in value}
        if there != value:
            return True
    return False


def answer_of(payload: bytes) -> dict[str, Any]:
    """An answer of the server.

    Raises:
        DecodeError: it is none, or there is no JetStream.
    """
    if not payload:
        raise DecodeError("the server has no JetStream, or no right to it; start it with -js")
    try:
        found = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DecodeError(f"no answer of JetStream: {payload[:60]!r}") from None
    if not isinstance(found, dict):
        raise DecodeError(f"no answer of JetStream: {payload[:60]!r}")
    return found


def fault_of(answer: dict[str, Any]) -> tuple[int, str]:
    """The number and the words of an answer's error; 0: it has none."""
    error = answer.get("error")
    if not isinstance(error, dict):
        return 0, ""
    number = error.get("err_code") or error.get("code") or 1
    return number, str(error.get("description") or "an error without a word")


def stored_of(payload: bytes) -> tuple[int, str]:
    """The number that a message has in the stream, and "" - or 0, and why it is not stored."""
    if not payload:
        return 0, "no stream takes the frames"
    try:
        answer = answer_of(payload)
    except DecodeError as error:
        return 0, str(error)
    number, reason = fault_of(answer)
    seq = answer.get("seq")
    if number or not isinstance(seq, int) or seq < 1:
        return 0, reason or "an answer without a number"
    return seq, ""


def time_text(ns: int) -> str:
    """A time as the server reads it."""
    seconds, rest = divmod(max(ns, 0), 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def consumer(
    name: str, inbox: str, filters: list[str], *, since: int, after: int
) -> dict[str, Any]:
    """One that gets frames pushed from a time on (`since`, ns), or behind a number (`after`);
    without `filters` all of them."""
    wanted = {"filter_subjects": filters} if filters else {}
    start: dict[str, Any] = {"deliver_policy": "by_start_time", "opt_start_time": time_text(since)}
    if after:
        start = {"deliver_policy": "by_start_sequence", "opt_start_seq": after + 1}
    return {
        "name": name,
        "deliver_subject": inbox,
        "ack_policy": "none",
        "max_deliver": 1,
        "replay_policy": "instant",
        "flow_control": True,
        "idle_heartbeat": 500_000_000,
        "inactive_threshold": 5_000_000_000,
        "mem_storage": True,
        "num_replicas": 1,
        **wanted,
        **start,
    }
