"""Images that come in several frames, until they are whole."""

from __future__ import annotations


class Pieces:
    """Of each shard at most one image; a newer one takes the place of an older one."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[tuple[int, int], dict[int, bytes]]] = {}

    def add(
        self, shard: int, batch: int, part: int, parts: int, frame: bytes
    ) -> list[bytes] | None:
        """All frames of the image, in their order; None: some have not come."""
        name, pieces = self._found.get(shard, ((0, 0), {}))
        if name != (batch, parts):
            pieces = {}
        pieces[part] = frame
        if len(pieces) < parts:
            self._found[shard] = (batch, parts), pieces
            return None
        self._found.pop(shard, None)
        return [pieces[at] for at in range(parts)]
