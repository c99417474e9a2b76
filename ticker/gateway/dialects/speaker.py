"""Clients that speak the dialect of a vendor: their requests in, calls on the hub and answers out.

Law: a client has the rights, limits and backpressure of any other; only its words differ. A request
is atomic. A symbol that no feed has yet is remembered, and subscribed when a feed brings it. No
socket and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import msgspec

from ticker.gateway.access.access import Access
from ticker.gateway.access.auth import Grant
from ticker.gateway.access.handshake import Head
from ticker.gateway.dialects import alpaca, polygon
from ticker.gateway.dialects.alpaca import Alpaca
from ticker.gateway.dialects.polygon import Polygon
from ticker.gateway.dialects.vendor import (
    ALL_SYMBOLS,
    JSON_PACKING,
    MSGPACK_PACKING,
    RIGHTS,
    STATUSES,
    AlreadyError,
    Change,
    Login,
    Message,
    NoChannelError,
    NoRightError,
    Packing,
    RequestError,
    StateChange,
    Vendor,
    Wants,
    tape_of,
)
from ticker.gateway.hub.hub import Hub
from ticker.gateway.hub.sales import Sales
from ticker.gateway.prices.board import Board
from ticker.gateway.prices.directory import SymbolDirectory
from ticker.gateway.protocol.codec import CODECS, Codec
from ticker.gateway.protocol.codes import Code
from ticker.gateway.protocol.commands import CommandError
from ticker.gateway.protocol.dialect import Dialect
from ticker.gateway.protocol.messages import Error
from ticker.gateway.protocol.messages import Message as OwnMessage
from ticker.gateway.sockets.connection import ConnectionTable, VendorEncoding
from ticker.gateway.sockets.frames import frame

ALPACA, POLYGON = Alpaca(), Polygon()
PATHS = (*(f"{alpaca.PATH}{feed}" for feed in alpaca.FEEDS), polygon.PATH)
VENDORS: dict[int, tuple[Vendor, Packing]] = {
    VendorEncoding.ALPACA_JSON: (ALPACA, JSON_PACKING),
    VendorEncoding.ALPACA_MSGPACK: (ALPACA, MSGPACK_PACKING),
    VendorEncoding.POLYGON_JSON: (POLYGON, JSON_PACKING),
}
"""The vendor and the packing of each encoding."""


def _codec(number: int) -> Codec:
    """The vendor's words for messages of ours: it has some for errors, none for the others."""
    vendor, packing = VENDORS[number]

    def encode(message: OwnMessage) -> bytes:
        if not isinstance(message, Error):
            return b""
        return packing.pack(vendor.refused(RequestError(Code(message.code))))

    return Codec(number, packing.opcode, encode, None)


ALL_CODECS = (*CODECS, *(_codec(number) for number in sorted(VENDORS)))


def read_request(encoding: int, is_text: bool, payload: bytes) -> Login | Change:
    """A client's message. A text is JSON in every encoding.

    Raises:
        RequestError, NoChannelError: it is none.
    """
    vendor, packing = VENDORS[encoding]
    unpack = JSON_PACKING.unpack if is_text else packing.unpack
    try:
        message = unpack(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError(Code.INVALID_SYNTAX) from None
    return vendor.read(message)


@dataclass
class Client:
    """One connection of a vendor's dialect."""

    encoding: int
    entered: bool = False
    wants: Wants = field(default_factory=dict)


class Speaker:
    """The vendors' clients of one worker."""

    def __init__(
        self,
        board: Board,
        hub: Hub,
        sales: Sales,
        connections: ConnectionTable,
        dialect: Dialect,
        access: Access,
        directory: SymbolDirectory,
    ) -> None:
        self.board = board
        self.hub = hub
        self.sales = sales
        self.connections = connections
        self.dialect = dialect
        self.access = access
        self.directory = directory
        self.clients: dict[int, Client] = {}
        self.states: dict[int, str] = {}  # of symbols, as told last, where it is not `live`
        self.looked_at = 0  # symbols of the board

    @staticmethod
    def encoding_of(head: Head) -> int | None:
        """The dialect of a request by its path, as an encoding; None: it is for no vendor's."""
        found = (vendor.encoding_of(head) for vendor in (ALPACA, POLYGON))
        return next((encoding for encoding in found if encoding is not None), None)

    # -- a connection ----------------------------------------------------------------------

    def greeting(self, encoding: int) -> bytes:
        """The first frame."""
        return _framed(encoding, VENDORS[encoding][0].connected())

    def opened(self, number: int, encoding: int, head: Head, now_ns: int) -> None:
        """A connection is open and was greeted."""
        self.clients[number] = Client(encoding)
        self.hub.configure(number, None, True)
        token = VENDORS[encoding][0].token_of(head)
        if token is not None:
            self._enter(number, token, now_ns)

    def forget(self, number: int) -> None:
        """Forget a closed connection."""
        self.clients.pop(number, None)

    def message(self, number: int, is_text: bool, payload: bytes, now_ns: int) -> None:
        """One message of a client."""
        client = self.clients[number]
        vendor = VENDORS[client.encoding][0]
        self.dialect.counters.add("commands")
        try:
            self._spend(number)
            self._run(number, client, read_request(client.encoding, is_text, payload), now_ns)
        except (RequestError, NoRightError, NoChannelError, AlreadyError) as error:
            self.dialect.counters.add("errors_sent")
            self._say(number, vendor.refused(error))
            code = error.code if isinstance(error, RequestError) else Code.UNSUPPORTED_ACTION
            self.dialect.strike(number, code)

    def _spend(self, number: int) -> None:
        try:
            self.dialect.spend(number)
        except CommandError as error:
            raise RequestError(error.code) from None

    def _run(self, number: int, client: Client, request: Login | Change, now_ns: int) -> None:
        if isinstance(request, Login):
            if client.entered:
                raise AlreadyError
            self._enter(number, request.token, now_ns)
            return
        grant = self.access.grant(number)
        if grant is None:
            raise RequestError(Code.NOT_AUTHENTICATED)
        if request.subscribe:
            self._subscribe(number, client, request, grant)
        else:
            self._unsubscribe(number, client, request)

    def _enter(self, number: int, token: str, now_ns: int) -> None:
        """A vendor's secret is a token of ours. Where none is asked for, any will do."""
        client = self.clients[number]
        asks = self.access.authenticator is not None
        if asks and self.dialect.enter(number, token, now_ns) is None:
            return  # it was told why, and is being closed
        client.entered = True
        self._say(number, VENDORS[client.encoding][0].authenticated())

    # -- subscriptions ---------------------------------------------------------------------

    def _subscribe(self, number: int, client: Client, change: Change, grant: Grant) -> None:
        vendor = VENDORS[client.encoding][0]
        change = self._here(vendor, change)
        wants = {channel: set(names) for channel, names in client.wants.items()}
        for channel, names in change.wanted:
            if not _opens(grant, vendor.channels[channel]):
                raise NoRightError
            held = wants.setdefault(channel, set())
            held.update(names)
            if ALL_SYMBOLS in held:
                wants[channel] = {ALL_SYMBOLS}
        self.board.refresh()
        visible = self._visible(grant, self.board.symbols())
        of_all = 0 if grant.wildcard else len(visible)
        total = sum(of_all if ALL_SYMBOLS in names else len(names) for names in wants.values())
        if total > self.dialect.limits_of(grant).symbols:
            raise RequestError(Code.SYMBOL_LIMIT_EXCEEDED)
        client.wants = wants
        self._choose_bars(number, vendor, wants)
        for channel, names in change.wanted:
            self._follow(number, vendor.channels[channel], names, visible)
        # What is followed is sent in a later turn, so behind the answer; and what happens once the
        # client has the answer is not missed.
        self._say(number, vendor.changed(change, wants))

    def _here(self, vendor: Vendor, change: Change) -> Change:
        """The part of a request that this server can serve: bars are made where a store is."""
        gone = [pair for pair in change.wanted if RIGHTS.get(vendor.channels[pair[0]]) == "bars"]
        if self.dialect.bars or not gone:
            return change
        if not vendor.in_parts:
            raise NoChannelError
        refused = [f"{channel}.{name}" for channel, names in gone for name in names]
        wanted = tuple(pair for pair in change.wanted if pair not in gone)
        return replace(change, wanted=wanted, refused=(*change.refused, *refused))

    def _choose_bars(self, number: int, vendor: Vendor, wants: Wants) -> None:
        states = 0
        for channel, bits in vendor.bar_states.items():
            states |= bits if wants.get(channel) else 0
        self.hub.choose_bars(number, states)

    def _unsubscribe(self, number: int, client: Client, change: Change) -> None:
        vendor = VENDORS[client.encoding][0]
        for channel, names in change.wanted:
            held = client.wants.get(channel, set())
            if ALL_SYMBOLS in names:
                held.clear()
            held.difference_update(names)
        for place in {vendor.channels[channel] for channel, _ in change.wanted}:
            self._leave(number, place, self._held(client, vendor, place))
        self._choose_bars(number, vendor, client.wants)
        self._say(number, vendor.changed(change, client.wants))

    @staticmethod
    def _held(client: Client, vendor: Vendor, channel: int) -> set[str]:
        """What a client wants of a channel of the hub, by any of the vendor's."""
        held: set[str] = set()
        for name, names in client.wants.items():
            if vendor.channels[name] == channel:
                held |= names
        return held

    def _leave(self, number: int, channel: int, held: set[str]) -> None:
        """Keep those subscriptions of a channel that the client still wants."""
        if channel == STATUSES or ALL_SYMBOLS in held:
            return
        subscriptions = self.hub.subscriptions
        gone = [
            place
            for place in subscriptions.subscribed(number, channel)
            if self.board.name(place) not in held
        ]
        subscriptions.unsubscribe(number, gone, channel)

    def _follow(
        self, number: int, channel: int, names: tuple[str, ...], visible: dict[str, int]
    ) -> None:
        """Subscribe at the hub to those symbols that are there."""
        if channel == STATUSES:
            return
        if ALL_SYMBOLS in names:
            found = visible
        else:
            found = {name: visible[name] for name in names if name in visible}
        self.hub.follow(number, list(found.values()), channel)
        for name, place in found.items():
            listing = self.directory.get(name)
            self.sales.set_tape(place, tape_of(listing.venue if listing else ""))

    def _visible(self, grant: Grant, names: list[str]) -> dict[str, int]:
        """The number of each of these symbols that a client may see."""
        found = {name: self.board.index(name) for name in names if grant.sees(name)}
        return {name: place for name, place in found.items() if place >= 0}

    def look(self) -> None:
        """Subscribe clients to symbols that have come since, and that they have asked for."""
        if len(self.board) == self.looked_at:
            return
        fresh = [self.board.name(place) for place in range(self.looked_at, len(self.board))]
        self.looked_at = len(self.board)
        for number, client in self.clients.items():
            grant = self.access.grant(number)
            if grant is not None and client.wants:
                self._catch_up(number, client, grant, self._visible(grant, fresh))

    def _catch_up(self, number: int, client: Client, grant: Grant, fresh: dict[str, int]) -> None:
        vendor = VENDORS[client.encoding][0]
        for channel, names in client.wants.items():
            if ALL_SYMBOLS in names:
                most = self.dialect.limits_of(grant).symbols
                room = max(most - self.hub.subscriptions.count_of(number), 0)
                names = set(list(fresh)[: None if grant.wildcard else room])
            self._follow(number, vendor.channels[channel], tuple(names), fresh)

    # -- trading statuses ------------------------------------------------------------------

    def watched(self) -> list[int]:
        """Numbers of the symbols whose trading status a client has asked for."""
        names: set[str] = set()
        for client in self.clients.values():
            names |= client.wants.get("statuses", set())
        if ALL_SYMBOLS in names:
            return list(range(len(self.board)))
        return [place for place in map(self.board.index, names) if place >= 0]

    def heard(self, place: int, state: str, now_ns: int) -> None:
        """The state of a symbol has changed: tell those who asked for its trading status."""
        before = self.states.pop(place, "live")
        if state != "live":
            self.states[place] = state
        if not any(client.wants.get("statuses") for client in self.clients.values()):
            return
        name = self.board.name(place)
        listing = self.directory.get(name)
        tape = tape_of(listing.venue if listing else "")
        news = StateChange(name, state, before, tape, now_ns)
        for encoding, (vendor, _) in VENDORS.items():
            message = vendor.status(news)
            if message is not None:
                self._tell(encoding, name, message)

    def _tell(self, encoding: int, name: str, message: Message) -> None:
        ready = _framed(encoding, [message])
        for number, client in self.clients.items():
            wanted = client.wants.get("statuses", set())
            if client.encoding == encoding and (name in wanted or ALL_SYMBOLS in wanted):
                grant = self.access.grant(number)
                if grant is not None and grant.sees(name):
                    self.connections.send(number, ready)

    def _say(self, number: int, messages: list[Message]) -> None:
        self.connections.send(number, _framed(self.clients[number].encoding, messages))


def _opens(grant: Grant, channel: int) -> bool:
    """Whether a token opens a channel of a vendor."""
    if channel == STATUSES:
        return bool(grant.channels)
    return RIGHTS[channel] in grant.channels


def _framed(encoding: int, messages: list[Message]) -> bytes:
    packing = VENDORS[encoding][1]
    return frame(packing.opcode, packing.pack(messages))
