from collections.abc import Callable

from ticker.feeds.protocol import Protocol
from ticker.feeds.session import Session
from ticker.feeds.tracing.around import Around

class Tap(Around):
    def __init__(self, decoder: Protocol, heard: Callable[[bytes, int, int], None]) -> None: ...

def next_number(session: Session, channel: int) -> int: ...
def numbers_packets(session: Session) -> bool: ...
