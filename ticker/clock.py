"""The wall clock and the monotonic clock, at the two edges of the program.

The wall clock gives the time of an event; it may be set forward or back at any moment. Waits and
ages are measured by the monotonic clock, which is never set.

Law: sessions, decoders, filters and the client protocol never import this; times are passed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]

now_ns: Clock = time.time_ns
"""ns since the epoch, UTC. A parameter `clock: Clock = now_ns` takes another clock in tests."""

steady_ns: Clock = time.monotonic_ns
"""ns since some moment before; never set, and the same for all processes of the machine."""
