"""Installs into this Python what running ticker needs, and the named groups of pyproject.toml.

.venv/bin/python .ci/packages.py build dev
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for group in sys.argv[1:]:
        wanted += project["optional-dependencies"][group]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Python compiles the modules that it imports, which are few of those that are installed here.
    command += ["--no-compile", "--constraint", str(ROOT / "constraints.txt"), *wanted]
    sys.exit(subprocess.run(command).returncode)


if __name__ == "__main__":
    main()
