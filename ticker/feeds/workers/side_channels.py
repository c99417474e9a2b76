"""The TCP connections beside the lines of a feed: Cboe's gap request proxy and spin servers, and
NYSE's request server."""

from __future__ import annotations

from ticker.config import FeedConfig, parse_address
from ticker.config.pillar import PillarConfig
from ticker.config.pitch import PitchConfig
from ticker.errors import FeedError
from ticker.feeds.cboe.dialogue import Account, Dialogue, GapProxy, Spin
from ticker.feeds.pillar.requests import RequestServer
from ticker.feeds.session import Session
from ticker.feeds.sessions.cboe_unit import CboeUnit
from ticker.feeds.sessions.xdp import Xdp
from ticker.feeds.transports.sidechannel import SideChannels
from ticker.feeds.workers.credentials import read_password


class CboeChannels:
    """Carries a session's gap requests to the proxy, and images to the session."""

    def __init__(self, feed: str, pitch: PitchConfig, session: CboeUnit) -> None:
        account = account_of(pitch)
        dialogues: list[tuple[tuple[str, int], Dialogue]] = []
        self.proxy: GapProxy | None = None
        if pitch.gap_proxy is not None:
            self.proxy = GapProxy(session, account)
            dialogues.append((parse_address(pitch.gap_proxy), self.proxy))
        for unit, server in zip(pitch.units, pitch.spin, strict=False):
            dialogues.append((parse_address(server), Spin(session, account, unit)))
        self._channels = SideChannels(feed, dialogues)
        self.fileno = self._channels.fileno
        self.turn = self._channels.turn
        self.next_deadline = self._channels.next_deadline
        self.close = self._channels.close

    def send(self, requests: list[bytes]) -> None:
        """Queue requests for the proxy; they are sent by the next `turn`."""
        if self.proxy is not None:
            self.proxy.ask(requests)


class PillarChannels:
    """Carries a session's requests to the request server."""

    def __init__(self, feed: str, address: str, pillar: PillarConfig, session: Xdp) -> None:
        self.server = RequestServer(session, pillar.source, pillar.product, pillar.channels)
        self._channels = SideChannels(feed, [(parse_address(address), self.server)])
        self.fileno = self._channels.fileno
        self.turn = self._channels.turn
        self.next_deadline = self._channels.next_deadline
        self.close = self._channels.close
        self.send = self.server.ask


def open_channels(config: FeedConfig, session: Session) -> CboeChannels | PillarChannels | None:
    """A feed's connections beside its lines, or None.

    Raises:
        FeedError: the account's password is not in the environment.
    """
    pitch, pillar = config.pitch, config.pillar
    if pillar is not None and pillar.request_server is not None and isinstance(session, Xdp):
        return PillarChannels(config.name, pillar.request_server, pillar, session)
    if pitch is None or not (pitch.gap_proxy or pitch.spin) or not isinstance(session, CboeUnit):
        return None
    return CboeChannels(config.name, pitch, session)


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
