"""What a box says of itself on the bus, for `ticker cluster status`, and for the epochs that it has
heard of."""

from __future__ import annotations

from typing import Literal

import msgspec

from ticker.cluster.frame import FrameKind, Head, body_of, make_frame
from ticker.errors import DecodeError


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A relay or a bridge of a feed.

    Attributes:
        box: the machine's name and the server's instance name.
        rank: of a relay; `pinned`: the symbols with a shard of their own, for readers of the log.
        state: of a relay "speaks", "waits" or "unfit"; of a bridge the feed's state.
        batches: by shard, of the newest frame that was published or taken.
        gaps: batches that a bridge never got.
        log: "keeps", or of a bridge "reads"; why it does not; empty: there is no log.
        log_lost: frames that the log did not take, or could not give.
        recalled: frames that the log gave to a bridge.
        followed: mask of the shards whose deltas a bridge takes (interest.py); empty: of all.
        watchers: subscriptions of clients, where they are asked for.
        rates: per second, by name.
    """

    box: str
    role: Literal["relay", "bridge"]
    state: str
    epoch: int
    rank: int = 0
    pinned: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    gaps: int = 0
    followed: str = ""
    watchers: int = 0
    lapped: int = 0
    dropped: int = 0
    rates: dict[str, float] = {}
    log: str = ""
    log_lost: int = 0
    recalled: int = 0


def notice_frame(notice: Notice, boot: int, feed: int, now: int) -> bytes:
    """The frame of a notice; its epoch is the highest that the box has heard of."""
    head = Head(
        kind=FrameKind.FRAME_NOTICE, shard=0, epoch=notice.epoch, batch=0, boot=boot,
        publish_time=now,
    )  # fmt: skip
    return make_frame(head, feed, msgspec.json.encode(notice))


def notice_of(frame: bytes) -> Notice:
    """The notice in a frame that `head_of` has taken.

    Raises:
        DecodeError: it is none.
    """
    try:
        return msgspec.json.decode(body_of(frame), type=Notice)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"no notice of a box: {error}") from None
