"""Members, not inheritance, to split a class: who derives from whom is written down here.

A class of ticker/ that derives from another one of ticker/ does so because the other is a contract
that several fulfil (CONTRACTS), or because it is a variant of a record (VARIANTS), or an error: who
catches one of ticker/errors.py catches its variants. Any other is a class that was cut into files:
make the other one a typed member of it.
"""

from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from tests.classes import Class, classes

ERRORS = "ticker.errors"
CONTRACTS = {
    # what several classes derive from: why
    "ticker.bench.rig.server.Process": "a process that a rig starts, waits for and ends",
    "ticker.config.section.Section": "a table of ticker.toml: frozen, unknown keys refused",
    "ticker.feeds.cboe.dialogue.Dialogue": "a dialogue with one of Cboe's servers",
    "ticker.feeds.iex.messages.IexProtocol": "messages that TOPS and DEEP have in common",
    "ticker.feeds.json.tables._Table": "a table of a mapping: frozen, unknown keys refused",
    "ticker.feeds.protocol.Protocol": "a decoder, found by its file",
    "ticker.feeds.sequence.channels.Channel": "one of a session's several streams",
    "ticker.feeds.sequence.channels.Channels": "a session of several streams",
    "ticker.feeds.sequence.sequenced.Sequenced": "a stream whose packets are numbered",
    "ticker.feeds.session.Session": "a session, found by its file",
    "ticker.feeds.tracing.around.Around": "a decoder around another decoder",
    "ticker.gateway.protocol.messages.Command": "what a client says: tagged by its type",
    "ticker.gateway.protocol.messages.Message": "what a server says: tagged by its type",
    "ticker.simulate.lines.capture.PcapWriter": "packets of several kinds into a capture",
    "ticker.simulate.lines.sender.LineSender": "packets of several kinds onto the lines",
    "ticker.simulate.market.framed.FramedMarket": "a day in the frames of one protocol",
    "ticker.simulate.market.levels.LevelMarket": "a day in a protocol that speaks of levels",
    "ticker.simulate.market.levels.LevelSpeaker": "a protocol that speaks of levels",
    "ticker.simulate.market.speaker.Speaker": "a protocol that says what happens in a market",
}
VARIANTS = {
    # a record or a refusal, and what it is more than the one that it derives from
    "ticker.config.access.TokenConfig": "rights, and the token that has them",
    "ticker.feeds.sessions.soupbintcp.SoupOptions": "options of a session that logs in",
    "ticker.gateway.access.access.TooManyConnectionsError": "a refusal: later it may work",
    "ticker.gateway.protocol.messages.Correction": "a cancel's fields, and the trade's new ones",
    "ticker.gateway.protocol.messages.Subscribed": "the fields of `unsubscribed`, and levels",
    "ticker.gateway.protocol.messages.Recovered": "the fields of `subscribed` under another tag",
    "ticker.gateway.protocol.messages.Update": "a snapshot's fields under another tag",
    "ticker.shm.depth.rows.DepthWriter": "books that can be written can be read as well",
    "ticker.shm.doorbell.Onlooker": "a doorbell that calls a function of its own process",
    "ticker.shm.table.TableWriter": "a table that can be written can be read as well",
}


def ladders(found: list[Class]) -> list[str]:
    """Classes that derive from one of the package without a reason, or from one not known."""
    paths = {each.path for each in found}
    broken = []
    for each in found:
        for base in each.bases:
            module, _, name = base.rpartition(".")
            if base in paths:
                if module != ERRORS and base not in CONTRACTS and each.path not in VARIANTS:
                    broken.append(f"{each.path} derives from {base}")
            elif module.split(".")[0] == each.module.split(".")[0] and not (
                module == each.module and hasattr(builtins, name)
            ):
                broken.append(f"{each.path} derives from {base}, and where is that?")
    return broken


def test_no_class_is_cut_into_files() -> None:
    assert ladders(classes()) == [], "make it a typed member, or say why in CONTRACTS or VARIANTS"


def test_a_contract_has_several_that_fulfil_it() -> None:
    derived: dict[str, int] = {}
    for each in classes():
        for base in each.bases:
            derived[base] = derived.get(base, 0) + (each.path not in VARIANTS)
    assert {base: derived.get(base, 0) for base in CONTRACTS if derived.get(base, 0) < 2} == {}


def test_every_variant_derives_from_one_of_the_package() -> None:
    found = {each.path: each for each in classes()}
    assert set(VARIANTS) <= set(found), "in VARIANTS, but not in the tree"
    stale = [path for path in VARIANTS if not any(base in found for base in found[path].bases)]
    assert stale == []


@pytest.mark.parametrize(
    ("files", "broken"),
    [
        ({"a.py": "class A: ...\n", "b.py": "from house.a import A\nclass B(A): ...\n"},
         ["house.b.B derives from house.a.A"]),
        ({"a.pyx": "cdef class A:\n    pass\n", "b.pxd": "from house.a cimport A\n",
          "b.pyx": "cdef class B(A):\n    pass\n"},
         ["house.b.B derives from house.a.A"]),
        ({"a.pyx": "cdef class A:\n    pass\n",
          "b.pyx": "from house.a cimport (\n    A as Z,  # why\n)\ncdef class B(Z):\n    pass\n"},
         ["house.b.B derives from house.a.A"]),
        ({"a.py": "class A: ...\nclass B(A): ...\n"}, ["house.a.B derives from house.a.A"]),
        ({"a.py": "class A: ...\n", "b.py": "import house.a as a\nclass B(a.A): ...\n"},
         ["house.b.B derives from house.a.A"]),
        ({"a.py": "class A: ...\n",
          "b.py": "from house.a import A\nclass B(A[int]): ...\n"},
         ["house.b.B derives from house.a.A"]),
        ({"b.py": "from house.a import A\nclass B(A): ...\n"},
         ["house.b.B derives from house.a.A, and where is that?"]),
        ({"b.pyx": "cdef class B(A):\n    pass\n"},
         ["house.b.B derives from house.b.A, and where is that?"]),
        ({"a.py": "from enum import Enum\nclass A(Enum): ...\nclass B(Exception): ...\n",
          "b.pyx": '"""\nclass C(A):\n"""\nfrom typing import NamedTuple\nclass B(NamedTuple):\n'},
         []),
    ],
)  # fmt: skip
def test_every_way_to_derive_is_found(
    tmp_path: Path, files: dict[str, str], broken: list[str]
) -> None:
    house = tmp_path / "house"
    house.mkdir()
    for name, text in files.items():
        (house / name).write_text(text)
    assert ladders(classes(house, tmp_path)) == broken
