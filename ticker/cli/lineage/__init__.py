"""`ticker lineage`: where a price came from."""

from ticker.cli.lineage.lineage import command

__all__ = ["command"]
