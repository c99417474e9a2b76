from ticker.config.filter import FilterConfig
from ticker.shm.header import Mapping

PLAIN: FilterConfig

class Filter:
    def __init__(
        self, mapping: Mapping, instruments: int, max_price: int, rules: FilterConfig = ...
    ) -> None: ...
    @property
    def max_price(self) -> int: ...
