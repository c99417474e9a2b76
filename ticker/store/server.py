"""A PostgreSQL server: the connections to it, which have deadlines, and its faults in our words.

In: the url of `[store]`. Out: connections, and a StoreError for each fault, without a password in
it. Any process, any thread.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ticker.config.store import HIDDEN, without_password
from ticker.errors import StoreError

Connection = psycopg.Connection[Any]
DEFAULTS = {
    "application_name": "ticker",
    "client_encoding": "utf8",
    "connect_timeout": "5",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
"""Parameters that the url may set otherwise."""
GRACE = 2.0
"""s for the server to say that a statement took too long."""
CODES = {
    "53100": errno.ENOSPC,
    "25006": errno.EROFS,
    "42501": errno.EPERM,
    "28000": errno.EKEYREJECTED,
    "28P01": errno.EKEYREJECTED,
    "3D000": errno.ENODEV,
    "57014": errno.ETIME,
    "08": errno.ECONNREFUSED,
    "57": errno.ECONNREFUSED,
}
"""SQLSTATEs, and classes of them, as errno."""
REFUSALS = {
    r"authentication failed|no password supplied|pg_hba\.conf|FATAL: +role ": errno.EKEYREJECTED,
    r"FATAL: +database ": errno.ENODEV,
}
"""Texts of a refused login, which comes without an SQLSTATE."""


class Server:
    """A database server and how to connect to it.

    Attributes:
        shown: its url without the password, for messages.

    Raises:
        StoreError: the url is unreadable.
    """

    def __init__(self, url: str) -> None:
        self.shown = without_password(url)
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:  # its text may have a part of the password
            raise StoreError(
                f"store.url: {self.shown} cannot be read; write each of :/?#[]@% within a user, a "
                "password or a name as % and two hexadecimal digits",
                errno.EINVAL,
            ) from None
        self.secrets = [str(given[name]) for name in ("password", "sslpassword") if given.get(name)]
        self.parameters = DEFAULTS | {name: str(value) for name, value in given.items()}

    def connect(self) -> Connection:
        """A new connection."""
        return psycopg.connect("", **self.parameters)  # type: ignore[arg-type]

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turns psycopg's errors into a StoreError with the kind of fault."""
        try:
            yield
        except TimeoutError as error:
            raise StoreError(f"{self.shown}: {error}", errno.ETIME) from None
        except psycopg.Error as error:
            text = "; ".join(str(error).split("\n")).strip()
            for secret in self.secrets:
                text = text.replace(secret, HIDDEN)
            raise StoreError(f"{self.shown}: {text}", _code(error)) from None


class Deadline:
    """The server ends a statement that takes so many seconds. If it does not answer then, the
    connection is cut off: the call that waits for it fails, with a TimeoutError out of the context.
    """

    def __init__(self, connection: Connection, seconds: float) -> None:
        self.connection = connection
        self.seconds = seconds
        self.passed = False
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Deadline:
        self.renew()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._stop()
        if self.passed and isinstance(error, psycopg.Error):
            raise TimeoutError(f"no answer in {self.seconds:g} s") from error

    def tell(self, cursor: psycopg.Cursor[Any]) -> None:
        """Tell the server, for this transaction."""
        limit = f"{1000 * self.seconds:.0f}"
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", (limit,))

    def renew(self) -> None:
        """From now on."""
        self._stop()
        self._timer = threading.Timer(self.seconds + GRACE, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _stop(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        with self._lock, contextlib.suppress(OSError, psycopg.Error):
            if self._timer is None:
                return
            self.passed = True
            with socket.socket(fileno=os.dup(self.connection.fileno())) as one:
                one.shutdown(socket.SHUT_RDWR)


def _code(error: psycopg.Error) -> int:
    """The kind of fault as errno; EPROTO: another one."""
    state = error.sqlstate
    if state is not None:
        return CODES.get(state) or CODES.get(state[:2], errno.EPROTO)
    if not isinstance(error, psycopg.OperationalError):
        return errno.EPROTO
    refused = (code for words, code in REFUSALS.items() if re.search(words, str(error)))
    return next(refused, errno.ECONNREFUSED)
