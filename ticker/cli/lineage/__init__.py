"""`ticker lineage`: the origin of a price."""

from ticker.cli.lineage.lineage import command

__all__ = ["command"]
