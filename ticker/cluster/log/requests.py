"""Questions to JetStream, over the connection of a relay, a bridge or a command."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import msgspec

from ticker.cluster.buses.nats import NatsBus
from ticker.cluster.log.streams import (
    API,
    NOT_FOUND,
    answer_of,
    differs,
    fault_of,
    named_in,
    settings,
    stream_name,
)
from ticker.cluster.subjects import Subjects
from ticker.config import ClusterConfig, LogConfig
from ticker.errors import DecodeError

ANSWER = 5.0
"""s for the server to answer."""
MOST_NAMES = 1000


async def ask(bus: NatsBus, inbox: str, subject: str, question: dict[str, Any]) -> dict[str, Any]:
    """The answer to a question. `inbox`: a subject of the box's own, for the answer.

    Raises:
        DecodeError: nobody answers, or it is no answer.
    """
    came: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take(_: bytes, payload: bytes) -> None:
        if not came.done():
            came.set_result(payload)

    subscription = bus.subscribe(inbox, take)
    try:
        message = (f"{API}.{subject}".encode(), msgspec.json.encode(question), inbox.encode())
        if not bus.publish([message]):
            raise DecodeError("no server of the bus takes a question now")
        async with asyncio.timeout(ANSWER):
            return answer_of(await came)
    except TimeoutError:
        raise DecodeError(f"JetStream does not answer within {ANSWER:g} s") from None
    finally:
        bus.unsubscribe(subscription)


def inbox_of(subjects: Subjects) -> str:
    """A subject that nobody else has."""
    return subjects.reader(secrets.token_hex(8))


async def ensure_stream(bus: NatsBus, cluster: ClusterConfig, log: LogConfig, feed: str) -> str:
    """Make the stream of a feed, or bring it to its settings; "made", "changed", or "": it was so.

    Raises:
        DecodeError: the server refuses; the message says why, and what to do.
    """
    subjects = Subjects(cluster.name, feed, cluster.lane)
    name, wanted = stream_name(cluster.name, feed), settings(cluster, log, feed)
    found = await ask(bus, inbox_of(subjects), f"STREAM.INFO.{name}", {})
    number, reason = fault_of(found)
    if number == NOT_FOUND:
        what, question = "CREATE", wanted
    elif number:
        raise DecodeError(f"JetStream refuses to show the log: {reason}")
    else:
        there = found.get("config") or {}
        if not differs(there, wanted):
            return ""
        what = "UPDATE"
        question = there | wanted | {"metadata": (there.get("metadata") or {}) | wanted["metadata"]}
    number, reason = fault_of(await ask(bus, inbox_of(subjects), f"STREAM.{what}.{name}", question))
    if number:
        raise DecodeError(
            f"JetStream refuses the log ({reason}); mind cluster.log.max_gigabytes and replicas, "
            "and the store_dir and limits of its servers"
        )
    return "made" if what == "CREATE" else "changed"


async def logs_of(bus: NatsBus, subjects: Subjects) -> list[tuple[str, str, dict[str, str]]]:
    """(cluster, feed, metadata) of each log on the servers, by name.

    Raises:
        DecodeError: there is no answer.
    """
    found: list[tuple[str, str, dict[str, str]]] = []
    offset, total = 0, 1
    while offset < total and len(found) < MOST_NAMES:
        answer = await ask(
            bus, inbox_of(subjects), "STREAM.LIST", {"offset": offset, "subject": "tk.>"}
        )
        number, reason = fault_of(answer)
        if number:
            raise DecodeError(f"JetStream refuses to list the logs: {reason}")
        streams = answer.get("streams") or []
        total, offset = int(answer.get("total") or 0), offset + len(streams)
        for each in streams:
            config = each.get("config") or {}
            named = named_in(str(config.get("name")))
            if named is not None:
                found.append((*named, config.get("metadata") or {}))
        if not streams:
            break
    return sorted(found, key=lambda each: each[:2])
