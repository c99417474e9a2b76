"""Packet captures, pcap and pcapng, plain or gzip: the UDP datagrams in them.

Law: nothing is copied but what came in fragments or was cut; a datagram is a pointer into the file
and lives until the next one. Packets in which no datagram was found are counted by the reason
(packets/tally.pyx), as are those that the capture has only in part: of these a session is given the
whole messages.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from ticker.feeds.market.market cimport Market
from ticker.feeds.packets.file cimport Packet, PacketFile
from ticker.feeds.packets.fragments cimport Fragments
from ticker.feeds.packets.layers cimport CUT_SHORT, DATAGRAM, Verdict
from ticker.feeds.packets.link cimport unwrap
from ticker.feeds.packets.tally cimport Tally
from ticker.feeds.session cimport CHANNEL_SHIFT, MOST_CHANNEL, Session

import ipaddress
from collections.abc import Iterator, Sequence
from pathlib import Path

from ticker.errors import FeedError

cdef enum:
    MOST_PAYLOAD = 65536


def blocks(path: Path, channels: Sequence[Sequence[str]] = ()) -> Capture:
    """The datagrams of a capture, all as line A's: (payload, capture time, line) of each, or
    all at once by `replay`. With `channels`, "address:port" of each one's lines: only theirs."""
    return Capture(path, channels=channels)


cdef class Capture:
    """A capture file, read once from its start.

    Args:
        lines: "address:port" of line A and B; other destinations are skipped. Without any, all
            datagrams are line A's.
        channels: the lines of each channel, for a feed that has several.
        with_tcp: hand out the payloads of TCP segments too, as they were captured.

    Raises:
        FeedError: the file cannot be read, or is no capture.
    """

    def __init__(
        self, path: Path, lines: Sequence[str] = (), *, with_tcp: bool = False,
        channels: Sequence[Sequence[str]] = (),
    ) -> None:
        self.with_tcp = with_tcp
        self.fragments = Fragments()
        self.tally = Tally()
        for channel, pair in enumerate([lines] if lines else channels):
            if len(pair) > 2 or channel > MOST_CHANNEL:
                raise FeedError(
                    f"{path}: channel {channel} has {len(pair)} lines; name one or two, of at most "
                    f"{MOST_CHANNEL + 1} channels"
                )
            for line, address in enumerate(pair):
                self._add_line(address, line | channel << CHANNEL_SHIFT)
        self.file = PacketFile(path)

    def __dealloc__(self) -> None:
        free(self.mended)

    def _add_line(self, text: str, line: int) -> None:
        host, _, port = text.rpartition(":")
        try:
            address = ipaddress.ip_address(host.strip("[]")).packed
            self.lines[self.line_count].port = int(port)
        except (ValueError, OverflowError):
            raise FeedError(f"{text!r}: no address and port, like 224.0.59.76:11076") from None
        full = address if len(address) == 16 else bytes(10) + b"\xff\xff" + address
        memcpy(&self.lines[self.line_count].address[0], <const char*>full, 16)
        self.lines[self.line_count].line = line
        self.line_count += 1

    def close(self) -> None:
        """Give the file back. Not needed after the last datagram."""
        self.file.close()

    def __iter__(self) -> Iterator[tuple[bytes, int, int]]:
        while self.next():
            payload = <bytes>(<const char*>self.datagram.payload)[:self.datagram.length]
            yield payload, self.datagram.time_ns, self.datagram.line

    def replay(self, Session session not None) -> int:
        """All datagrams into a session, at full speed, published after each that brought
        something; then the end of the session's data. Returns the datagrams.

        The time of everything is the time of capture; a packet without one has that of the packet
        before it. A session whose channels differ by where their packets are sent to
        (`channels_by_destination`) is told of each destination as a channel, unless `channels`
        says which are.
        """
        cdef Market market = session.protocol.market
        cdef uint64_t before = self.tally.datagrams
        cdef uint64_t sequence
        self.by_destination = not self.line_count and getattr(
            session, "channels_by_destination", False
        )
        with nogil:
            while self.next():
                if self.datagram.cut and not self._mend(session):
                    self._take_back()
                    continue
                sequence = session.next_expected_sequence
                if market is not None:
                    market.look(self.datagram.time_ns)
                session.receive(
                    self.datagram.payload, self.datagram.length, self.datagram.line,
                    self.datagram.time_ns,
                )
                if market is not None and session.next_expected_sequence != sequence:
                    market.flush(self.datagram.time_ns)
            session.finish(self.datagram.time_ns)
            if market is not None:
                market.flush(self.datagram.time_ns)
        return self.tally.datagrams - before

    cdef bint _mend(self, Session session) noexcept nogil:
        """What is whole of a datagram that was cut, as a datagram. False: nothing is."""
        if self.mended == NULL:
            self.mended = <uint8_t*>malloc(MOST_PAYLOAD)
            if self.mended == NULL:
                return False
        memcpy(self.mended, self.datagram.payload, self.datagram.length)
        self.datagram.payload = self.mended
        self.datagram.length = session.mend(self.mended, self.datagram.length)
        return self.datagram.length > 0

    cdef void _take_back(self) noexcept nogil:
        """The current datagram has nothing that could be read."""
        self.tally.datagrams -= 1
        self.tally.cut -= 1
        self.tally.refuse(CUT_SHORT, 0)

    # What became of it

    @property
    def destination(self) -> tuple[str, int]:
        """Address and port that the current datagram was sent to."""
        address = ipaddress.IPv6Address(bytes(self.datagram.destination[:16]))
        return str(address.ipv4_mapped or address), self.datagram.destination_port

    @property
    def packets(self) -> int:
        """Packets in the file, so far."""
        return self.tally.packets

    @property
    def datagrams(self) -> int:
        """Datagrams that were handed out."""
        return self.tally.datagrams

    @property
    def cut(self) -> int:
        """Of those: that the capture has only in part."""
        return self.tally.cut

    @property
    def without_time(self) -> int:
        """Packets whose time of capture the file does not say."""
        return self.tally.without_time

    @property
    def fragments_joined(self) -> int:
        """Packets that held a part of a datagram which then became whole, but for its last."""
        return self.fragments.joined

    @property
    def others(self) -> int:
        """Packets that gave no datagram."""
        return self.tally.packets - self.tally.datagrams

    @property
    def not_read(self) -> dict[str, int]:
        """Packets by the reason why nothing was read of them."""
        return self.tally.not_read(
            self.fragments.left_over + self.fragments.waiting, self.fragments.contradicting
        )

    @property
    def truncated(self) -> bool:
        """The file ends inside a packet, or is damaged there."""
        return self.file.truncated

    @property
    def error(self) -> str:
        """Why reading stopped early; empty: it did not."""
        return self.file.error

    def summary(self) -> dict[str, object]:
        """All of it, by name."""
        return {
            "packets": self.packets, "datagrams": self.datagrams, "cut": self.cut,
            "fragments_joined": self.fragments_joined, "without_time": self.without_time,
            "not_read": self.not_read, "truncated": self.truncated, "error": self.error,
        }  # fmt: skip

    # -- the packets ---------------------------------------------------------------------------

    cdef bint next(self) noexcept nogil:
        """The next datagram, in `datagram`; False at the end."""
        cdef Packet packet
        cdef Verdict verdict
        cdef uint32_t unread = 0
        while self.file.next(&packet):
            self.tally.packets += 1
            self.fragments.next_packet()
            if packet.time_ns > 0:
                self.newest_time = packet.time_ns
            else:
                self.tally.without_time += 1
            self.datagram.time_ns = self.newest_time
            if packet.interface == NULL:
                self.tally.nowhere += 1
                continue
            verdict = unwrap(
                packet.data, packet.length, packet.cut, packet.interface.link_type, self.with_tcp,
                self.fragments, &self.datagram, &unread,
            )
            if verdict != DATAGRAM:
                self.tally.refuse(verdict, unread)
            elif self._is_datagram():
                return True
        return False

    cdef bint _is_datagram(self) noexcept nogil:
        """Whether what was found is of a line, which it then counts for."""
        if not self._find_line():
            self.tally.elsewhere += 1
            return False
        self.tally.datagrams += 1
        self.tally.cut += self.datagram.cut
        return True

    # -- the lines -----------------------------------------------------------------------------

    cdef bint _find_line(self) noexcept nogil:
        cdef int i
        self.datagram.line = 0
        if not self.line_count and not self.by_destination:
            return True
        if not self._is_at(&self.lines[self.newest_line]):
            for i in range(self.line_count):
                if self._is_at(&self.lines[i]):
                    self.newest_line = i
                    break
            else:
                if not self._new_channel():
                    return False
        self.datagram.line = self.lines[self.newest_line].line
        return True

    cdef bint _is_at(self, const Destination* line) noexcept nogil:
        return (line.port == self.datagram.destination_port
                and memcmp(&line.address[0], &self.datagram.destination[0], 16) == 0)

    cdef bint _new_channel(self) noexcept nogil:
        """Where the datagram was sent to is another channel's line A, if there may be one more."""
        cdef Destination* line = &self.lines[self.line_count]
        if not self.by_destination or self.line_count > MOST_CHANNEL:
            return False
        memcpy(&line.address[0], &self.datagram.destination[0], 16)
        line.port = self.datagram.destination_port
        line.line = self.line_count << CHANNEL_SHIFT
        self.newest_line = self.line_count
        self.line_count += 1
        return True
