"""One connection to a Redis, and its faults in the words of the system.

In: commands as bytes. Out: what the server said to each. The client is redis-py, and its replies
are read by hiredis. A fault is an OSError whose errno names its kind (FAULTS), so that it has room
in a counter; no text of it has a password.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from hiredis import Reader
from redis import exceptions as said
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.retry import Retry

from ticker.config import RedisConfig
from ticker.config.redis import connection_options

PLAIN: Any = Connection  # redis-py is typed in parts
ENCRYPTED: Any = SSLConnection
DONE = b"+OK\r\n"
CHUNK = 1 << 16
MANY_DONE = DONE * (2 * CHUNK // len(DONE))
PATIENCE = 1.0
"""s for which one answer of the server may take. A partition that is over shows by a new
connection, which waits for no retransmission of the old one."""
KINDS: tuple[tuple[type[said.RedisError], int], ...] = (
    (said.TimeoutError, errno.ETIMEDOUT),
    (said.OutOfMemoryError, errno.ENOMEM),
    (said.ReadOnlyError, errno.EROFS),
    (said.BusyLoadingError, errno.EAGAIN),
    (said.MasterDownError, errno.EAGAIN),
    (said.NoPermissionError, errno.EPERM),
    (said.AuthenticationError, errno.EACCES),
    (said.AskError, errno.EREMOTE),  # MOVED, too
    (said.ClusterDownError, errno.EREMOTE),
    (said.ConnectionError, errno.ECONNREFUSED),
)
"""The kind of a fault by its class."""
KIND_OF_WORD: dict[str, type[said.RedisError]] = {
    "OOM": said.OutOfMemoryError,
    "READONLY": said.ReadOnlyError,
    "LOADING": said.BusyLoadingError,
    "MASTERDOWN": said.MasterDownError,
    "NOPERM": said.NoPermissionError,
    "NOAUTH": said.AuthenticationError,
    "CLUSTERDOWN": said.ClusterDownError,
}
"""Those that a server gives to a command; MOVED and ASK have addresses in their texts."""
ADVICE = {
    errno.ECONNREFUSED: "start the server of [cluster.redis] url, or correct its address",
    errno.ETIMEDOUT: "look at the load of the Redis and at the network to it",
    errno.EACCES: "correct user and password_env of [cluster.redis], or the server's ACL",
    errno.EPERM: "allow the user of [cluster.redis] the commands of docs/cluster.md",
    errno.ENOMEM: "raise maxmemory of the Redis, or give it a policy that evicts keys",
    errno.EROFS: "name the primary in [cluster.redis] url: this one is a replica",
    errno.EAGAIN: "wait: the Redis loads its files",
    errno.EIO: "mend the disk of the Redis, or switch its snapshots off",
    errno.EREMOTE: "name a Redis that is no node of a Redis Cluster",
    errno.EPROTO: "see the reason; prices are served meanwhile",
}


class RefusedError(OSError):
    """The server has answered, and said no: the connection is whole."""


class RedisServer:
    """The server of a configuration; connected at the first use.

    Raises:
        ConfigError: the environment has no password, or a certificate cannot be read.
    """

    def __init__(self, config: RedisConfig) -> None:
        self.where = urlsplit(config.url).netloc
        self.connection = connection_of(config)

    @property
    def connected(self) -> bool:
        return bool(self.connection.is_connected)

    def connect(self) -> None:
        """Connect anew, and log in.

        Raises:
            OSError: it does not work; the errno says why.
        """
        self.close()
        try:
            with _faults(self.where):
                self.connection.connect()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection."""
        with contextlib.suppress(said.RedisError, OSError):
            self.connection.disconnect()

    def call(self, *words: bytes | str | int) -> object:
        """The answer to one command.

        Raises:
            OSError: refused, or lost.
        """
        with self._whole():
            self.connection.send_command(*words, check_health=False)
            return self.connection.read_response()

    def send(self, commands: memoryview, count: int) -> dict[int, OSError]:
        """The refusals of `count` commands, by their number; the server has done the others.

        Raises:
            OSError: the connection is lost, and with it some of the answers.
        """
        with self._whole():
            self.connection.send_packed_command([commands], check_health=False)
            return self._answers(count)

    def _answers(self, count: int) -> dict[int, OSError]:
        """Nearly all answers are +OK: runs of them are counted, and only others are read one by
        one. The connection has nothing else to say, so its socket is read directly."""
        refused: dict[int, OSError] = {}
        reader = Reader(protocolError=said.InvalidResponse, replyError=said.ResponseError)
        receive = self.connection._sock.recv
        number, rest, counts = 0, b"", True
        while number < count:
            try:
                got = receive(CHUNK)
            except TimeoutError:
                raise said.TimeoutError("no answer in time") from None
            except OSError as error:
                raise said.ConnectionError(str(error)) from None
            if not got:
                raise said.ConnectionError("closed by the server")
            if counts:
                got = rest + got
                whole = len(got) // len(DONE)
                rest = got[whole * len(DONE) :]
                counts = got.startswith(MANY_DONE[: whole * len(DONE)]) and DONE.startswith(rest)
                if counts:
                    number += whole
                    continue
            reader.feed(got)
            while (answer := reader.gets()) is not False:
                if isinstance(answer, said.ResponseError):
                    refused[number] = _fault(_kind_of(answer), self.where)
                number += 1
        return refused

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """A connection whose answers were not all read is of no use any more."""
        try:
            with _faults(self.where):
                yield
        except OSError as error:
            if not isinstance(error, RefusedError):
                self.close()
            raise


def connection_of(config: RedisConfig) -> Any:
    """A connection that is not made yet.

    Raises:
        ConfigError: as RedisServer.
    """
    kind = ENCRYPTED if config.tls else PLAIN
    return kind(
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        protocol=2,
        retry=Retry(NoBackoff(), 0),  # the mirror tries again by itself
        client_name="ticker-mirror",
        **connection_options(config),
    )


@contextlib.contextmanager
def _faults(where: str) -> Iterator[None]:
    try:
        yield
    except said.RedisError as error:
        raise _fault(error, where) from None


def _kind_of(error: said.ResponseError) -> said.RedisError:
    """The error of the class that redis-py has for its first word."""
    word, _, text = str(error).partition(" ")
    kind = KIND_OF_WORD.get(word)
    return error if kind is None else kind(text)


def _fault(error: said.RedisError, where: str) -> OSError:
    """The same with an errno of its kind."""
    text = str(error) or type(error).__name__
    code = next((code for kind, code in KINDS if isinstance(error, kind)), errno.EPROTO)
    if text.startswith("MISCONF"):
        code = errno.EIO
    answered = isinstance(error, said.ResponseError)
    return (RefusedError if answered else OSError)(code, f"{where}: {text}")
