"""The blocks of code in the pages, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "clients/*/README.md")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OUTPUTS = ("", "text", "console")
"""Languages of blocks that show what is printed: only lines with a prompt are commands."""


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    """Every block of every page."""
    for pattern in PATTERNS:
        for path in sorted(ROOT.glob(pattern)):
            if "node_modules" in path.parts:
                continue
            text = path.read_text()
            for found in BLOCK.finditer(text):
                line = text.count("\n", 0, found.start()) + 1
                yield Block(str(path.relative_to(ROOT)), line, found[1], found[2])


def of(language: str) -> list[Block]:
    return [block for block in blocks() if block.language == language]


def commands() -> Iterator[tuple[Block, list[str]]]:
    """Every command line, in words, without comments."""
    for block in blocks():
        if block.language == "sh" or block.language in OUTPUTS:
            for line in block.text.replace("\\\n", " ").splitlines():
                if line.startswith("$ "):
                    line = line[2:]
                elif block.language != "sh" and not line.startswith("ticker "):
                    continue
                elif block.language == "sh" and "$ " in block.text:
                    continue  # what the command before it prints
                for part in line.split(" && "):
                    words = shlex.split(part, comments=True)
                    if words:
                        yield block, words
