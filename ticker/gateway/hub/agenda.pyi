from ticker.gateway.hub.subscriptions import Subscriptions
from ticker.gateway.hub.topics import Topics
from ticker.gateway.sockets.connection import ConnectionTable

class Agenda:
    def __init__(
        self,
        connections: ConnectionTable,
        topics: Topics,
        subscriptions: Subscriptions,
        interval_ns: int,
        steady_ns: int,
        paced: bool = False,
    ) -> None: ...
