"""The types of the TypeScript client, which a change of the server's changes too."""

from __future__ import annotations

import runpy
from pathlib import Path


def test_the_types_are_those_of_the_server(root: Path) -> None:
    """To make them anew: python clients/typescript/generate.py"""
    generate = runpy.run_path(str(root / "clients" / "typescript" / "generate.py"))
    assert generate["OUTPUT"].read_text() == generate["generated"]()
