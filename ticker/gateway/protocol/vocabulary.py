"""The words of the client protocol: the kinds of value that its messages are made of.

Law: as in messages.py, which uses them: what is here is only ever added to.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

MAX_SYMBOL = 23
MAX_ID = 64
SUBPROTOCOLS = ("ticker.v1.json", "ticker.v1.msgpack", "ticker.v1.protobuf")
PROTOCOL = "ticker.v1"

Symbol = Annotated[
    str,
    Meta(
        pattern=r"^[ -~]{1,23}$(?!\n)",
        description="a symbol, exactly as /symbols has it: 1 to 23 printable ASCII characters",
    ),
]
Id = Annotated[
    Annotated[str, Meta(max_length=MAX_ID)] | Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)],
    Meta(description="chosen by the client, echoed in the answer"),
]
Price = Annotated[Decimal, Meta(description="exact decimal", extra={"unit": "price"})]
Size = Annotated[
    Decimal, Meta(description="exact decimal, whole shares as a rule", extra={"unit": "size"})
]
Time = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0)]
LastPrice = Annotated[
    Price | None,
    Meta(
        description="of the last trade; null: every trade was broken, or all trades so far were "
        "outside of regular hours"
    ),
]
TradesSoFar = Annotated[int, Meta(ge=0, description="trades so far, all venues")]
Venue = Annotated[str, Meta(description="ISO 10383 MIC of the trade")]
TradeId = Annotated[
    str, Meta(pattern=r"^[0-9]{1,20}$(?!\n)", description="the venue's number of the trade")
]
Channel = Literal["price", "quote", "trades", "depth", "movers", "bars"]
Interval = Literal["1s", "1m", "5m", "1h", "1d"]
OfBars = Annotated[Interval, Meta(description="of `bars`, and of no other channel")]
Levels = Annotated[int, Meta(ge=1, le=50, description="on `depth`: levels of each side")]
OneVenue = Annotated[
    str, Meta(pattern=r"^[A-Z0-9]{4}$(?!\n)", description="on `depth`: one MIC; absent: all")
]
Limit = Annotated[
    int, Meta(ge=1, le=25, description="on `movers`: symbols of each list; default 10")
]
BookSeq = Annotated[int, Meta(ge=0, description="changes of the book so far; it only grows")]
MaxRate = Annotated[
    float, Meta(ge=0.01, le=1000, description="updates per second per symbol at most")
]
Pace = Annotated[
    Literal["immediate", "steady", "saver"],
    Meta(description="each change as it comes; as the server's load allows; once a second"),
]
State = Literal["live", "quiet", "unconfirmed", "halted", "paused", "stale", "closed"]
