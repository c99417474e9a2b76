"""The documentation as a site: it builds, and a link that leads nowhere is an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def build(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "build" / "site-source").mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", *options],
        cwd=folder,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )


def site_of(tree: Path) -> Path:
    """A copy of the pages and all that the site is made of, so that a build is the test's own."""
    for name in ("docs", "bench", "clients", "examples", "ticker"):
        ignored = shutil.ignore_patterns("node_modules", "*.so", "results", "__pycache__")
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "mkdocs.yml"):
        shutil.copy(ROOT / name, tree)
    (tree / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "site.py", tree / ".ci")
    return tree


def test_the_site_builds_and_every_link_in_it_leads_somewhere(tmp_path: Path) -> None:
    tree = site_of(tmp_path)
    built = build(tree)
    assert built.returncode == 0, built.stderr
    site = tree / "build" / "site"
    decisions = {page.stem for page in (ROOT / "docs" / "decisions").glob("*.md")}
    assert decisions <= {page.stem for page in (site / "docs" / "decisions").glob("*.html")}
    assert (site / "docs" / "page.png").stat().st_size > 10_000
    for page in site.rglob("*.html"):
        assert 'src="http' not in page.read_text(), f"{page} loads something from elsewhere"

    (tree / "docs" / "store.md").write_text("# The store\n\nSee [more](no-such-page.md).\n")
    broken = build(tree)
    assert broken.returncode != 0
    assert "no-such-page.md" in broken.stderr
