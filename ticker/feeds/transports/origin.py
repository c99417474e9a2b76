"""Redirects and proxies of polls and WebSocket handshakes.

A redirect is followed only to the same origin (RFC 6454): keys must not be sent to another server,
and another server's body is not the venue's.
"""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from ticker.errors import FeedError

Redirects = Literal["same_origin", "none"]

MOST_REDIRECTS = 5
PROXIED_AS = {"ws": "http", "wss": "https"}
"""WebSockets use the HTTP proxies, as in browsers."""


class RedirectError(FeedError):
    """A redirect that is not followed."""


def redirect_rules(redirects: Redirects) -> aiohttp.TraceConfig:
    """The options of a client session that refuses redirects to another origin.

    The request raises RedirectError.
    """

    async def look(
        _: aiohttp.ClientSession,
        context: SimpleNamespace,
        told: aiohttp.TraceRequestRedirectParams,
    ) -> None:
        where = told.response.headers.get("Location") or told.response.headers.get("URI") or ""
        target = told.url.join(URL(where))
        context.followed = getattr(context, "followed", 0) + 1
        # The query may have a key, which the server repeats.
        shown = f"{target.scheme}://{target.authority}{target.path}"
        if redirects == "none":
            raise RedirectError(
                f'redirects to {shown}; name that url, or say redirects = "same_origin"'
            )
        if target.absolute and target.origin() != told.url.origin():
            raise RedirectError(f"redirects to {shown}, another origin; name it if it is right")
        if context.followed > MOST_REDIRECTS:
            raise RedirectError(f"redirects more than {MOST_REDIRECTS} times, now to {shown}")

    rules = aiohttp.TraceConfig()
    rules.on_request_redirect.append(look)
    return rules


def proxy_of(url: str, configured: str | None) -> str | None:
    """The HTTP proxy for a URL: the configured one; else that of the environment (https_proxy,
    http_proxy, all_proxy; no_proxy), where the host is not this machine. None: there is none."""
    if configured is not None:
        return configured or None
    parts = urlsplit(url)
    proxies = getproxies()
    if _is_this_machine(parts.hostname or "") or proxy_bypass(parts.netloc):
        return None
    return proxies.get(PROXIED_AS.get(parts.scheme, parts.scheme)) or proxies.get("all")


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
