"""The wall clock, at the two edges of the program.

Law: sessions, decoders, filters and the client protocol never import this; times are passed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]

now_ns: Clock = time.time_ns
"""ns since the epoch, UTC. A parameter `clock: Clock = now_ns` takes another clock in tests."""
