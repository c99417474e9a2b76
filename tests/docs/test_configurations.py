"""Every block of TOML in the pages is a configuration that `ticker check` takes, or a mapping."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.certificates import Authority
from tests.docs.blocks import Block, blocks, of
from ticker.config import Config
from ticker.feeds.json.tables import Mapping
from ticker.supervisor.configuration import load_all

FEED = {"name": '"x"', "protocol": '"itch50"', "venue": '"XNAS"', "lines": '["127.0.0.1:26400"]'}
CLUSTER = {"name": '"prod"', "servers": '["nats://10.0.0.1:4222"]'}
SECRET = "0123456789"  # as long as every protocol wants it
ELSEWHERE = {
    # language: page -> the test that runs these very blocks
    "python": {
        "README.md": "tests/clients/test_readme.py",
        "clients/python/README.md": "tests/clients/test_readme.py",
        "docs/new-protocol.md": "tests/feeds/test_new_protocol.py",
        "docs/record.md": "tests/record/test_exact.py",
        "docs/tutorial.md": "tests/docs/test_tutorial.py",
    },
    "js": {
        "README.md": "tests/clients/test_readme.py",
        "clients/typescript/README.md": "tests/clients/test_readme.py",
    },
    "sql": {"docs/record.md": "tests/record/test_exact.py"},
    "html": {"README.md": "tests/clients/test_readme.py"},
    "nginx": {"docs/security.md": "tests/gateway/access/test_proxies.py"},
    "haproxy": {
        "docs/security.md": "tests/gateway/access/test_proxies.py",
        "docs/cluster.md": "tests/cluster/test_changing_boxes.py",
    },
    "caddy": {
        "docs/security.md": "tests/gateway/access/test_proxies.py",
        "docs/how-to/caddy.md": "tests/docs/test_configurations.py",
    },
}
KNOWN = {"toml", "sh", "json", "", "text", "console", *ELSEWHERE}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages name."""
    folder = tmp_path_factory.mktemp("machine")
    authority = Authority(folder)
    certificate, key = authority.issue("localhost")
    for name in ("fullchain.pem", "vendor-ca.pem", "venue-ca.pem"):
        (folder / name).write_bytes(Path(certificate).read_bytes())
    (folder / "privkey.pem").write_bytes(Path(key).read_bytes())
    issuer = ed25519.Ed25519PrivateKey.generate().public_key()
    kinds = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "issuer.pem").write_bytes(issuer.public_bytes(*kinds))
    for page, language, name in (
        ("docs/tutorial.md", "toml", "mine.toml"),
        ("docs/new-protocol.md", "python", "toy.py"),
    ):
        first = next(each for each in of(language) if each.page == page)
        (folder / name).write_text(first.text)
    return folder


def completed(text: str, machine: Path) -> str:
    """The block as a whole file: it gets what it leaves out, and files are those of `machine`."""
    tree = tomllib.loads(text)
    (feed, *_) = tree.get("feeds", [{}])
    if "feeds" not in tree:
        text += "\n[[feeds]]\n"
    if feed.keys() <= {"name", "protocol", "lines", "source"}:
        text = with_keys(text, "[[feeds]]", FEED, feed)
    if "cluster" in tree and "redis" not in tree["cluster"]:
        text = with_keys(text, "[cluster]", CLUSTER, tree["cluster"])
    text = text.replace('"/etc/ticker/', f'"{machine}/').replace(
        '"/var/lib/ticker/', f'"{machine}/'
    )
    return text.replace('sha256 = "…"', f'sha256 = "{"0" * 64}"')


def with_keys(text: str, table: str, keys: dict[str, str], there: dict[str, object]) -> str:
    """The first such table with the keys that it lacks; a table that is only implied is written."""
    if f"{table}\n" not in text:
        text += f"\n{table}\n"
    added = "".join(f"{key} = {value}\n" for key, value in keys.items() if key not in there)
    return text.replace(f"{table}\n", f"{table}\n{added}", 1)


def is_mapping(block: Block) -> bool:
    return bool(tomllib.loads(block.text).keys() & {"records", "stream"})


@pytest.mark.parametrize("block", [each for each in of("toml") if not is_mapping(each)], ids=str)
def test_check_takes_it(block: Block, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tomllib.loads(block.text).keys() <= set(Config.__struct_fields__)
    for name in re.findall(r'"\$([A-Z_]+)"|password_env = "([A-Z_]+)"', block.text):
        monkeypatch.setenv("".join(name), SECRET)
    monkeypatch.chdir(machine)
    path = machine / "ticker.toml"
    path.write_text(completed(block.text, machine))
    assert load_all(path).feeds


@pytest.mark.parametrize("block", [each for each in of("toml") if is_mapping(each)], ids=str)
def test_a_mapping_has_keys_that_there_are(block: Block) -> None:
    tree = tomllib.loads(block.text)
    records = [
        {"name": "x", "kind": "trade", "symbol": "s", **each} for each in tree.get("records", [{}])
    ]
    msgspec.convert({**tree, "records": records}, Mapping, strict=True)


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


def test_every_other_block_is_run_by_a_test(root: Path) -> None:
    """A new kind of block has to be checked here, or named with the test that runs it."""
    for block in blocks():
        assert block.language in KNOWN, f"{block}: no test runs a block of {block.language!r}"
        pages = ELSEWHERE.get(block.language)
        if pages is not None:
            assert block.page in pages, f"{block}: no test runs this block"
            assert (root / pages[block.page]).exists()


def test_a_proxy_of_a_guide_is_the_one_that_is_tried() -> None:
    tried = {block.text for block in of("caddy") if block.page == "docs/security.md"}
    assert {block.text for block in of("caddy")} == tried
