"""`python clients/typescript/vendor.py`: the built client, into the folder of the watch page.

The page is made of the client, and a server has no compiler: its package has what this writes.
A test holds the files to what the sources build. It needs Node, and `npm ci` in this folder.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
VENDORED = SOURCE.parents[1] / "ticker" / "gateway" / "web" / "vendor" / "client"


def main() -> None:
    """Build into a folder of its own, and replace what is vendored."""
    with tempfile.TemporaryDirectory() as built:
        subprocess.run(["npm", "exec", "--", "tsc", "--outDir", built], cwd=SOURCE, check=True)
        modules = {path.name: path.read_bytes() for path in Path(built).glob("*.js")}
    VENDORED.mkdir(parents=True, exist_ok=True)
    for old in VENDORED.glob("*.js"):
        old.unlink()
    for name, text in modules.items():
        (VENDORED / name).write_bytes(text)


if __name__ == "__main__":
    main()
