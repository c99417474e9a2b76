from ticker.gateway.books.views import Views
from ticker.gateway.hub.agenda import Agenda
from ticker.gateway.hub.sales import Sales
from ticker.gateway.hub.shared_frames import SharedFrames
from ticker.gateway.hub.topics import Topics
from ticker.gateway.sockets.connection import ConnectionTable
from ticker.gateway.sockets.sender import Sender
from ticker.shm.header import Mapping

class Flush:
    def __init__(
        self,
        topics: Topics,
        sales: Sales,
        views: Views,
        frames: SharedFrames,
        connections: ConnectionTable,
        sender: Sender,
        agenda: Agenda,
        segment: Mapping,
        max_symbols: int,
    ) -> None: ...
