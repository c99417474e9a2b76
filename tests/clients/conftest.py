"""The packed TypeScript client, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.package import Require, installed, packed, require_node


@pytest.fixture(scope="session")
def tarball(require: Require, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `npm pack` makes."""
    require_node(require)
    return packed(tmp_path_factory.mktemp("packed"))


@pytest.fixture(scope="session")
def project(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package in its node_modules."""
    return installed(tmp_path_factory.mktemp("installed"), tarball)
