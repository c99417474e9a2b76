"""Lays the documentation for mkdocs, of which this is a hook (mkdocs.yml): `make site`.

In: the pages of the tree, at their places, and the files that they link to. Out: a copy of these in
`docs_dir`, with an index for each folder of pages, and the navigation.
"""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("*.md", "docs/**/*.md", "bench/*.md", "clients/*/*.md", "examples/*.md")
FOLDERS = {
    "GUIDES": ("docs/how-to", "Short guides"),
    "RUNBOOK": ("docs/runbook", "When an alert fires"),
    "DECISIONS": ("docs/decisions", "Decisions"),
}
"""Entries of the navigation that stand for all pages of a folder."""
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)")
IMAGE = re.compile(r'(?<=src=")(?!https?:)([^"]+)')


def on_config(config: dict[str, Any]) -> dict[str, Any]:
    """Lay the pages, and name all of a folder where the navigation has its sign."""
    site = Path(config["docs_dir"])
    lay(site)
    for section in config["nav"]:
        for entries in section.values():
            if isinstance(entries, list):
                for entry in entries:
                    _expand(entry, site)
    return config


def lay(site: Path) -> None:
    shutil.rmtree(site, ignore_errors=True)
    pages = [page for pattern in PAGES for page in ROOT.glob(pattern)]
    for folder, title in FOLDERS.values():
        _index(site / folder, ROOT / folder, title)
    for page in pages:
        text = page.read_text()
        for found in {*LINK.findall(text), *IMAGE.findall(text)}:
            _lay_linked(site, (page.parent / found).resolve())
        target = site / page.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(LINK.sub(partial(_to_page, page.parent), text))


def _lay_linked(site: Path, linked: Path) -> None:
    """What is no page is laid as it is. A link that leads nowhere is for mkdocs to report."""
    if linked.is_file() and linked.suffix != ".md" and linked.is_relative_to(ROOT):
        target = site / linked.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(linked, target)


def _to_page(folder: Path, found: re.Match[str]) -> str:
    """A link to a folder leads to its index."""
    link = found[0]
    return f"{link.rstrip('/')}/README.md" if (folder / link).is_dir() else link


def _index(target: Path, folder: Path, title: str) -> None:
    lines = [f"- [{_title(page)}]({page.name})\n" for page in sorted(folder.glob("*.md"))]
    target.mkdir(parents=True)
    (target / "README.md").write_text(f"# {title}\n\n{''.join(lines)}")


def _expand(entry: dict[str, str], site: Path) -> None:
    """The sign of a folder becomes its pages, the index first."""
    for name, sign in entry.items():
        if sign in FOLDERS:
            folder = site / FOLDERS[sign][0]
            index = folder / "README.md"
            pages = [index, *(page for page in sorted(folder.glob("*.md")) if page != index)]
            entry[name] = [str(page.relative_to(site)) for page in pages]  # type: ignore[assignment]


def _title(page: Path) -> str:
    return page.read_text().split("\n", 1)[0].removeprefix("# ")
