"""The watch page is made of the TypeScript client: what it has of it is what the sources build."""

from __future__ import annotations

import re
from pathlib import Path

from ticker.gateway.rest.page import FILES


def test_the_page_has_the_client_as_its_sources_build_it(root: Path, project: Path) -> None:
    """To write it anew: python clients/typescript/vendor.py"""
    built = project / "node_modules" / "@ticker" / "client" / "dist"
    vendored = root / "ticker" / "gateway" / "web" / "vendor" / "client"
    assert {path.name: path.read_text() for path in vendored.iterdir()} == {
        path.name: path.read_text() for path in built.glob("*.js")
    }


def test_what_the_pages_files_name_is_served_by_the_server_itself() -> None:
    for path, (body, _) in FILES.items():
        text = body.decode()
        if path == "/lightweight-charts.js":
            continue  # one module, which names no other
        folder = path.rpartition("/")[0] + "/"
        found = re.findall(r'(?:from|import\(|CHART =|href=|src=) ?"([^"]+\.(?:js|css|svg))"', text)
        for name in found:
            parts: list[str] = []
            for part in (folder + name).split("/"):
                if part == "..":
                    parts.pop()
                elif part not in ("", "."):
                    parts.append(part)
            assert "/" + "/".join(parts) in FILES, f"{path} names {name}"
    assert '"./client/index.js"' in FILES["/stream.js"][0].decode()
