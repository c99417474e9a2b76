"""One TLS connection's records: ciphertext in, plaintext out, and back.

OpenSSL works on memory here and touches no descriptor; the gateway reads and writes the sockets.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from ticker.config.access import TlsConfig
from ticker.errors import ConfigError

RECORD = 16_384  # bytes of plaintext in a record at most (RFC 8446, section 5.1)


class TlsError(Exception):
    """The peer does not speak TLS, or breaks it; the connection must be closed."""


class TlsSession:
    """The server's side of one connection; the handshake happens in receive().

    Attributes:
        unsent: records that the socket has not taken, for the caller to keep.
    """

    __slots__ = ("_incoming", "_outgoing", "_shaken", "_tls", "unsent")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._shaken = False
        self.unsent = b""

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the socket; returns their plaintext. Call pending() afterwards.

        Raises:
            TlsError: not TLS; pending() may still hold an alert for the peer.
        """
        self._incoming.write(data)
        parts = []
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            while part := self._tls.read(RECORD):
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise TlsError(error.reason or "broken record") from None
        return b"".join(parts)

    def encrypt(self, data: bytes) -> bytes:
        """The records with `data`, after any that wait already."""
        if data:
            try:
                self._tls.write(data)
            except ssl.SSLError as error:
                raise TlsError(error.reason or "cannot write") from None
        return self.pending()

    def pending(self) -> bytes:
        """The bytes that TLS itself has to send: handshake, alerts, keys."""
        return self._outgoing.read()

    def finish(self) -> bytes:
        """The alert close_notify (RFC 8446, section 6.1), if there is a session to end."""
        try:
            if self._shaken:
                self._tls.unwrap()
        except ssl.SSLError:
            pass  # it waits for the peer's own, as it should
        return self.pending()


def server_context(config: TlsConfig) -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with this certificate.

    Raises:
        ConfigError: the files hold no certificate chain and the key to it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    load_certificate(context, config)
    return context


def load_certificate(context: ssl.SSLContext, config: TlsConfig) -> None:
    """Read the files again, for new sessions. Raises ConfigError."""
    try:
        # a key that needs a passphrase is an error here, not a prompt
        context.load_cert_chain(config.certificate, config.key, password=lambda: b"")
    except (ssl.SSLError, OSError, ValueError) as error:
        name = Path(config.certificate).name
        raise ConfigError(
            f"tls.certificate: {name} and tls.key are no certificate chain and its key ({error})"
        ) from None
