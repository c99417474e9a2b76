"""Names of the kinds of events, from their enum (states.pxd)."""

from ticker.shm.layout import names_of

KINDS = names_of(EventKind, "EVENT_")
