from ticker.shm.header import Mapping

class VenueState:
    def __init__(self, mapping: Mapping) -> None: ...
