"""deploy/: units of systemd, the image, the compose file and the manifests, as far as this machine
can try them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Require
from ticker.config import Config
from ticker.supervisor.configuration import load_all

EXPOSURE = 2.0


@pytest.fixture
def deploy(root: Path) -> Path:
    return root / "deploy"


def analyze(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *options], capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_the_units_are_right_and_hardened(deploy: Path, tmp_path: Path, require: Require) -> None:
    require("systemd-analyze", "systemd-analyze is not installed")
    for name in ("ticker.service", "ticker.socket"):
        text = (deploy / "systemd" / name).read_text()
        # what is not installed here is not what is tried
        (tmp_path / name).write_text(text.replace("/opt/ticker/bin/ticker", "/bin/true"))
    service = str(tmp_path / "ticker.service")
    done = analyze("verify", service, str(tmp_path / "ticker.socket"))
    assert (done.returncode, done.stderr) == (0, "")
    rated = analyze("security", "--offline=true", service).stdout
    found = re.search(r"Overall exposure level for ticker.service: ([\d.]+)", rated)
    assert found, rated
    assert float(found[1]) < EXPOSURE


def test_the_service_is_what_the_server_expects(deploy: Path) -> None:
    """Readiness and signs of life: tests/supervisor/system/test_systemd.py. Here, the drain."""
    text = (deploy / "systemd" / "ticker.service").read_text()
    keys = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    assert keys["Type"] == "notify"
    assert float(keys["WatchdogSec"]) > 1
    assert keys["KillMode"] == "mixed", "SIGTERM is for the supervisor, which drains in order"
    assert int(keys["TimeoutStopSec"]) > 15 + 5 + 5 + 2, "longer than all stages of a drain"
    assert keys["RemoveIPC"] == "no"


@pytest.mark.slow
def test_the_unit_allows_io_uring(deploy: Path, require: Require) -> None:
    """What gateways send by; the sets of calls are systemd's."""
    require("systemd-analyze", "systemd-analyze is not installed")
    text = (deploy / "systemd" / "ticker.service").read_text()
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE):
        calls = {call for name in line.lstrip("~").split() for call in calls_of(name)}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    assert allowed >= {"io_uring_setup", "io_uring_enter", "sendto"}


def calls_of(name: str) -> set[str]:
    """The system calls of a set of systemd's, with those of the sets in it."""
    if not name.startswith("@"):
        return {name}
    lines = analyze("syscall-filter", name).stdout.splitlines()[1:]
    inner = [line.strip() for line in lines if "#" not in line]
    return set().union(*map(calls_of, filter(None, inner)))


def test_the_image_copies_what_is_there(root: Path, deploy: Path) -> None:
    text = (deploy / "Dockerfile").read_text()
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert {"setup.py", "pyproject.toml", "ticker"} <= set(copied)
    assert not [source for source in copied if not (root / source).exists()]
    assert "USER ticker" in text
    assert "--shm-size" in text
    assert "/healthz" in text


def manifests(deploy: Path) -> dict[str, Any]:
    text = (deploy / "kubernetes" / "ticker.yaml").read_text()
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def test_the_manifests_belong_together(
    deploy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = manifests(deploy)
    pod = found["StatefulSet"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    mounted = {each["name"] for each in container["volumeMounts"]}
    volumes = {each["name"] for each in pod["spec"]["volumes"]}
    claims = found["StatefulSet"]["spec"]["volumeClaimTemplates"]
    assert mounted == volumes | {each["metadata"]["name"] for each in claims}
    monkeypatch.setenv("ALPACA_KEY", "k")
    monkeypatch.setenv("ALPACA_SECRET", "s")
    config = _config(found["ConfigMap"], tmp_path)
    assert config.server.port == container["ports"][0]["containerPort"]


def _config(map_of_files: Any, folder: Path) -> Config:
    path = folder / "ticker.toml"
    path.write_text(map_of_files["data"]["ticker.toml"])
    return load_all(path)


def test_the_compose_file_mounts_what_is_there(deploy: Path) -> None:
    services = yaml.safe_load((deploy / "compose.yaml").read_text())["services"]
    assert services.keys() == {"ticker", "prometheus", "grafana"}
    mounts = [each.split(":")[0] for one in services.values() for each in one["volumes"]]
    local = [each for each in mounts if each.startswith(".")]
    assert len(local) == 3
    assert not [each for each in local if not (deploy / each).exists()]
    assert services["ticker"]["read_only"]
