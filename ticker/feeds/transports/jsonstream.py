"""Files of JSON texts, plain or gzip, one per line or pretty-printed."""

from __future__ import annotations

from ticker.feeds.transports.binaryfile import blocks

__all__ = ["blocks"]
