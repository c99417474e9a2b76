from ticker.feeds.protocol import Protocol
from ticker.feeds.session import Session
from ticker.feeds.tracing.around import Around
from ticker.shm.lineage.traces import TraceWriter

class TracingTap(Around):
    def __init__(self, decoder: Protocol, writer: TraceWriter) -> None: ...
    def follow(self, rows: list[int]) -> None: ...

def put_between(session: Session, protocol: Protocol) -> None: ...
