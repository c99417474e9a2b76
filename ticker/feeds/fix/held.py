"""Messages that wait behind a gap, by their sequence, within a bound of messages and of bytes."""

from __future__ import annotations

from dataclasses import dataclass

from ticker.errors import DecodeError
from ticker.feeds.fix.fields import header
from ticker.feeds.fix.message import Message

OVERHEAD = 256
"""The overhead of a held message, in bytes."""


@dataclass(frozen=True)
class Frame:
    """A whole frame; its body is not parsed yet."""

    begin_string: bytes
    body: bytes
    received: int

    def message(self) -> Message:
        """The fields. If the body cannot be read, only those of the header: the decoder reads the
        frame again, and reports the fault."""
        try:
            return Message(self.begin_string, self.body, self.received)
        except DecodeError:
            message = Message(self.begin_string, self.body[: header(self.body)[2]], self.received)
            message.body = self.body
            return message


class Held:
    """None stands for a message that has been dealt with out of its turn."""

    def __init__(self, most_messages: int, most_bytes: int) -> None:
        self.most_messages = most_messages
        self.most_bytes = most_bytes
        self.bytes = 0
        self._frames: dict[int, Frame | None] = {}

    def __bool__(self) -> bool:
        return bool(self._frames)

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._frames

    def hold(self, sequence: int, frame: Frame | None) -> bool:
        """Keep a message for its turn. False: there is no room, and it has to come again."""
        size = OVERHEAD + (len(frame.body) if frame else 0)
        if sequence in self._frames:
            self.take(sequence)
        if len(self._frames) >= self.most_messages or self.bytes + size > self.most_bytes:
            return False
        self._frames[sequence] = frame
        self.bytes += size
        return True

    def take(self, sequence: int) -> Frame | None:
        """Take the message whose turn it is."""
        frame = self._frames.pop(sequence)
        self.bytes -= OVERHEAD + (len(frame.body) if frame else 0)
        return frame

    def first(self, otherwise: int) -> int:
        """The lowest held sequence, or `otherwise` without any."""
        return min(self._frames, default=otherwise)

    def forget_below(self, sequence: int) -> None:
        """Drop the messages below a number."""
        for number in [held for held in self._frames if held < sequence]:
            self.take(number)

    def clear(self) -> None:
        self._frames.clear()
        self.bytes = 0
