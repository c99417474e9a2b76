from ticker.gateway.hub.topics import Topics
from ticker.shm.header import Mapping

class SharedFrames:
    def __init__(self, topics: Topics, segment: Mapping) -> None: ...
