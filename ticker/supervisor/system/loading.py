"""The imports of a server that starts: nothing is loaded that it will not use, and nothing is
collected meanwhile. They are most of the time until the first price is served.

Owned by `ticker serve`, before the first fork.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that say where OpenSSL finds authorities."""


@contextmanager
def loading() -> Iterator[None]:
    """For imports that make much and throw away nothing: collections would be a tenth of their
    time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()  # it stays as long as the process
    finally:
        if enabled:
            gc.enable()


def load_libraries() -> None:
    """Load structlog and aiohttp without the parts that no server uses."""
    _load_structlog()
    _load_aiohttp()


def _load_structlog() -> None:
    """Without rich and pygments, which it takes where it finds them: another tenth. The log does
    not use their tracebacks (ticker/log.py), and `ticker top` loads rich by itself."""
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    hidden: dict[str, Any] = sys.modules
    hidden["rich"] = None
    try:
        import structlog  # noqa: F401
    finally:
        del hidden["rich"]


def _load_aiohttp() -> None:
    """Without the certificates of this machine's authorities, which it reads twice for a client: a
    tenth, too. A client of a feed has a TLS context of its own (feeds/transports/tls.py); one
    without it would now trust nobody."""
    if "aiohttp" in sys.modules:
        return
    before = {name: os.environ.get(name) for name in CERTIFICATES}
    os.environ.update(dict.fromkeys(CERTIFICATES, os.devnull))
    try:
        import aiohttp  # noqa: F401
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
