"""What a client sets for its connection: its rate, its pace, and whether a flush is one message."""

from __future__ import annotations

from typing import cast

from msgspec import UNSET

from ticker.gateway.access.auth import Grant
from ticker.gateway.hub.hub import Hub
from ticker.gateway.pacing.rates import PACES
from ticker.gateway.protocol.codes import Code
from ticker.gateway.protocol.commands import CommandError
from ticker.gateway.protocol.messages import Configure, Configured
from ticker.gateway.protocol.terms import Terms
from ticker.gateway.protocol.vocabulary import Pace


class Settings:
    """Of the connections of one hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def admit(self, number: int, grant: Grant) -> None:
        """Bound a connection by its rights."""
        if grant.max_rate:
            self.hub.configure(number, grant.max_rate, None)

    def change(self, number: int, command: Configure, grant: Grant, terms: Terms) -> Configured:
        """Apply a command; the answer has what holds from now on.

        Raises:
            CommandError: it sets nothing, or a pace that the server does not allow.
        """
        wanted, pace = command.max_rate, command.pace
        if wanted is None and command.batch is None and pace is None:
            said = "max_rate: give `max_rate`, `batch`, `pace` or several of them"
            raise CommandError(Code.INVALID_SYNTAX, said, command.id)
        check_pace(pace, terms, command.id)
        if wanted is not None and grant.max_rate:
            wanted = min(wanted, grant.max_rate)
        number_of_pace = None if pace is None else PACES.index(pace)
        rate, batch, now = self.hub.configure(number, wanted, command.batch, number_of_pace)
        return Configured(
            id=UNSET if command.id is None else command.id,
            max_rate=round(rate, 6),
            batch=batch,
            pace=cast(Pace, PACES[now]),
        )


def check_pace(pace: str | None, terms: Terms, command_id: int | str | None = None) -> None:
    """Raises CommandError for a pace that the server does not allow."""
    if pace == "immediate" and not terms.immediate:
        said = "pace: this server allows no `immediate`; [gateway] immediate = true allows it"
        raise CommandError(Code.UNSUPPORTED_ACTION, said, command_id)
