"""Commands of a part: read in pieces or several at once, each is heard whole and in turn."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator

import pytest

from ticker.bench.rig import actor


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What to write to, for the actor to read."""
    read, write = os.pipe()
    monkeypatch.setattr(actor, "STDIN", read)
    monkeypatch.setattr(actor, "_read", bytearray())
    yield write
    os.close(read)


def test_two_commands_in_one_read(stdin: int) -> None:
    os.write(stdin, b'{"do": "reset"}\n{"do": "drain"}\n{"do"')
    assert not actor.pending()
    assert actor.hear() == {"do": "reset"}
    assert actor.pending()  # the pipe no longer shows it
    assert actor.hear() == {"do": "drain"}
    assert not actor.pending()
    os.write(stdin, b': "connect"}\n')
    os.close(stdin)
    assert actor.hear() == {"do": "connect"}
    with pytest.raises(SystemExit):
        actor.hear()


def test_a_command_longer_than_a_pipe(stdin: int) -> None:
    command = {"do": "behind", "times": list(range(10**18, 10**18 + 50_000))}

    def tell() -> None:
        left = memoryview(json.dumps(command).encode() + b"\n")
        while left:
            left = left[os.write(stdin, left) :]
        os.close(stdin)

    teller = threading.Thread(target=tell)
    teller.start()
    assert actor.hear() == command
    teller.join(10)
