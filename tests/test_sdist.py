"""A source distribution has every file of the package, so that it can be built anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

BUILT = {".so", ".pyc"}


@pytest.mark.slow
def test_it_has_every_file_of_the_package(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "--quiet", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(
        [*command, "sdist", "--dist-dir", str(tmp_path)],
        cwd=root,
        env={**os.environ, "TICKER_ONLY": "none"},
        check=True,
        capture_output=True,
        timeout=100,
    )
    (made,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(made) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    wanted = {
        str(path.relative_to(root))
        for path in (root / "ticker").rglob("*")
        if path.is_file() and path.suffix not in BUILT
    }
    assert wanted - names == set()
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE"} <= names
    assert not [name for name in names if Path(name).suffix in BUILT]
