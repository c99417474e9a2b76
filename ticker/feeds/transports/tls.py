"""TLS of a feed's connection, always verified: by the system's authorities, or by its own."""

from __future__ import annotations

import ssl

from ticker.errors import FeedError

ADVICE = "tls_ca of the feed names the authority that signed it"


def client_context(authority: str | None) -> ssl.SSLContext:
    """What verifies a server; `authority`: a file of certificates instead of the system's.

    Raises:
        FeedError: there are no certificates in the file.
    """
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError) as error:
        raise FeedError(f"{authority}: no certificates there ({error})") from None


def refusal(error: BaseException, advice: str) -> str:
    """Why there is no connection; of a certificate that is refused with what would do."""
    cause = getattr(error, "certificate_error", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is refused ({cause.verify_message}); {advice}"
    return str(error) or type(error).__name__
