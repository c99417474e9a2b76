"""A start loads only what a server uses; what it leaves out is missed by nobody."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LOAD = """
import gc, json, os, ssl, sys
from ticker.supervisor.system.loading import load_libraries, loading
os.environ["SSL_CERT_DIR"] = "/nowhere"
with loading():
    during = gc.isenabled()
    load_libraries()
    from ticker.supervisor.serve import load_workers
    load_workers()
import aiohttp.connector
from ticker import log
from ticker.feeds.transports.tls import client_context
verified = aiohttp.connector._SSL_CONTEXT_VERIFIED
log.configure("pretty")
import structlog
structlog.get_logger().info("said", reason="once")
print(json.dumps({
    "loaded": [name for name in ("rich", "pygments", "jwt", "cryptography") if name in sys.modules],
    "during": during, "after": gc.isenabled(), "frozen": gc.get_freeze_count() > 10_000,
    "trusts": len(verified.get_ca_certs()),
    "verifies": verified.verify_mode == ssl.CERT_REQUIRED and verified.check_hostname,
    "folder": os.environ["SSL_CERT_DIR"], "file": os.environ.get("SSL_CERT_FILE"),
}))
import rich.table
"""


@pytest.mark.slow
def test_what_a_start_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "said" in done.stderr
    assert json.loads(done.stdout) == {
        "loaded": [],
        "during": False,
        "after": True,
        "frozen": True,
        "trusts": 0,
        "verifies": True,
        "folder": "/nowhere",
        "file": None,
    }
