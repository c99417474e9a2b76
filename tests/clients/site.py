"""A web page of a user's own, beside the TypeScript client's files."""

from __future__ import annotations

import functools
import http.server
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def served(
    site: Path, project: Path, page_socket: socket.socket, page: str, text: str
) -> Iterator[str]:
    """Serve the folder `site` with this page and the client that `project` has installed; gives
    the page's address."""
    shutil.copytree(project / "node_modules" / "@ticker" / "client" / "dist", site / "client")
    (site / page).write_text(text)
    handler = functools.partial(_Quiet, directory=str(site))
    address = page_socket.getsockname()
    server = http.server.ThreadingHTTPServer(address, handler, bind_and_activate=False)
    server.socket.close()
    server.socket = page_socket.dup()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{address[1]}/{page}"
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """No line for each request."""
