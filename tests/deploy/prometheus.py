"""A real Prometheus with the shipped rules, which scrapes a server of the tests."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.deploy.test_dashboard import panel_queries
from ticker.bench.rig.ports import free_port

MILLISECONDS = {"s": 1000, "m": 60_000}
LENGTH = r"(\d+)([sm])"


class Prometheus:
    """One that runs at `where`."""

    def __init__(self, where: str) -> None:
        self.where = where

    def ask(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"{self.where}/api/v1/{path}", timeout=5) as answer:
                return json.load(answer)["data"]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def firing(self) -> list[dict[str, str]]:
        """The labels of each alert that fires, with its name as "alertname"."""
        found = self.ask("alerts") or {"alerts": []}
        return [each["labels"] for each in found["alerts"] if each["state"] == "firing"]

    def has(self, query: str) -> bool:
        return bool(self._results(query))

    def value(self, query: str) -> float:
        """Of its first series; 0 where there is none."""
        found = self._results(query)
        return float(found[0]["value"][1]) if found else 0.0

    def _results(self, query: str) -> list[dict[str, Any]]:
        found = self.ask(f"query?query={quote(query)}")
        return list(found["result"]) if found else []


@contextmanager
def watching(target: str, rules: Path, folder: Path, faster: int = 1) -> Iterator[Prometheus]:
    """It scrapes `target`, host:port, by the shipped configuration and rules; every length of time
    in them is divided by `faster`."""
    port = free_port()
    config = _shorter(rules.with_name("prometheus.yml").read_text(), r"interval: ", faster)
    config = config.replace("127.0.0.1:8700", target)
    (folder / "prometheus.yml").write_text(config)
    text = _shorter(rules.read_text(), r"for: ", faster)
    (folder / "alerts.yml").write_text(_shorter(text, r"\[", faster))
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (
        (folder / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(30)


def _shorter(text: str, before: str, faster: int) -> str:
    """With each length of time behind `before` divided."""

    def divided(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2]) * MILLISECONDS[found[3]] // faster}ms"

    changed, count = re.subn(f"({before}){LENGTH}", divided, text)
    assert count, f"no length of time behind {before!r}"
    return changed


def seconds_until_it_fires(rules: Path, name: str) -> float:
    """The `for` of an alert, s; 0 where it has none."""
    _, _, rest = rules.read_text().partition(f"alert: {name}\n")
    found = re.search(rf"^ +for: {LENGTH}$", rest.partition("- alert:")[0], re.MULTILINE)
    return int(found[1]) * MILLISECONDS[found[2]] / 1000 if found else 0.0


def dashboard_queries(root: Path, interval: str) -> dict[str, str]:
    """The queries of the dashboard by panel, their rates over `interval`."""
    return {
        panel: query.replace("$__rate_interval", interval)
        for panel, query in panel_queries(root).items()
    }
