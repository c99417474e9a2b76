"""The pages of reference that are made from the source."""

from __future__ import annotations

import runpy
from pathlib import Path


def test_the_pages_are_those_that_the_source_makes(root: Path) -> None:
    """To make them anew: .venv/bin/python .ci/reference.py docs"""
    made = runpy.run_path(str(root / ".ci" / "reference.py"))["PAGES"]
    assert {name: (root / "docs" / name).read_text() for name in made} == {
        name: page() for name, page in made.items()
    }
