"""The TCP connections beside the lines of a feed: Cboe's gap request proxy and spin servers, and
NYSE's request server."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ticker.config import FeedConfig, parse_address
from ticker.config.pitch import PitchConfig
from ticker.errors import FeedError
from ticker.feeds.cboe.dialogue import Account, Dialogue, GapProxy, Spin
from ticker.feeds.pillar.requests import RequestServer
from ticker.feeds.session import Session
from ticker.feeds.sessions.cboe_unit import CboeUnit
from ticker.feeds.sessions.xdp import Xdp
from ticker.feeds.transports.sidechannel import SideChannels
from ticker.feeds.workers.credentials import read_password


class BesideLines:
    """Carries a session's requests to a server, and the answers of all servers to the session.

    Args:
        dialogues: with each server, and its address.
        send: queues requests for a server; they are sent by the next `turn`.
    """

    def __init__(
        self,
        feed: str,
        dialogues: Sequence[tuple[tuple[str, int], Dialogue | RequestServer]],
        send: Callable[[list[bytes]], None],
    ) -> None:
        self.send = send
        self._channels = SideChannels(feed, dialogues)
        self.fileno = self._channels.fileno
        self.turn = self._channels.turn
        self.next_deadline = self._channels.next_deadline
        self.close = self._channels.close


def cboe_channels(feed: str, pitch: PitchConfig, session: CboeUnit) -> BesideLines:
    """With the gap request proxy and the spin servers, as far as there are any."""
    account = account_of(pitch)
    dialogues: list[tuple[tuple[str, int], Dialogue]] = []
    send = no_server
    if pitch.gap_proxy is not None:
        proxy = GapProxy(session, account)
        send = proxy.ask
        dialogues.append((parse_address(pitch.gap_proxy), proxy))
    for unit, server in zip(pitch.units, pitch.spin, strict=False):
        dialogues.append((parse_address(server), Spin(session, account, unit)))
    return BesideLines(feed, dialogues, send)


def no_server(requests: list[bytes]) -> None:
    """Nobody takes requests."""


def open_channels(config: FeedConfig, session: Session) -> BesideLines | None:
    """A feed's connections beside its lines, or None.

    Raises:
        FeedError: the account's password is not in the environment.
    """
    pitch, pillar = config.pitch, config.pillar
    if pillar is not None and pillar.request_server is not None and isinstance(session, Xdp):
        server = RequestServer(session, pillar.source, pillar.product, pillar.channels)
        address = parse_address(pillar.request_server)
        return BesideLines(config.name, [(address, server)], server.ask)
    if pitch is None or not (pitch.gap_proxy or pitch.spin) or not isinstance(session, CboeUnit):
        return None
    return cboe_channels(config.name, pitch, session)


def account_of(pitch: PitchConfig) -> Account:
    """The account of the login. Raises ConfigError: no password is set; FeedError: it is not valid
    at Cboe."""
    password = ""
    if pitch.password_env is not None:
        password = read_password("pitch", pitch.password_env)
        if len(password) > 10 or not password.isascii():
            raise FeedError(
                f"pitch.password_env: {pitch.password_env} is no password of Cboe's, which have "
                "at most 10 ASCII characters"
            )
    return Account(session_sub_id=pitch.session_sub_id, username=pitch.username, password=password)
