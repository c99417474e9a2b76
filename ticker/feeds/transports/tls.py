"""TLS of a feed's connection, always verified: by the system's authorities, or by the feed's."""

from __future__ import annotations

import ssl

from ticker.errors import FeedError

ADVICE = "tls_ca of the feed names the authority that signed it"


def client_context(authority: str | None) -> ssl.SSLContext:
    """A TLS context that verifies the server; `authority`: a file of certificates to use instead of
    the system's.

    Raises:
        FeedError: there are no certificates in the file.
    """
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise FeedError(f"{authority}: has no certificates ({error})") from None


def refusal(error: BaseException, advice: str) -> str:
    """The reason why there is no connection; for a refused certificate, with the next step."""
    cause = getattr(error, "certificate_error", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is refused ({cause.verify_message}); {advice}"
    return str(error) or type(error).__name__
