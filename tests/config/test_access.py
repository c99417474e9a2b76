"""The tables [tls], [access] and [auth]: refused values, with their messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from ticker.config import parse
from ticker.errors import ConfigError

DIGEST = "0" * 64
PUBLIC = '[server]\nhost = "0.0.0.0"\n'


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse(text)
    return str(error.value)


def test_loopback_needs_nothing() -> None:
    config = parse('[server]\nhost = "127.0.0.2"\n')
    assert config.tls is None
    assert config.auth is None


def test_a_public_address_needs_tls_or_a_stated_proxy(tmp_path: Path) -> None:
    assert "server.host: 0.0.0.0 is reachable from outside" in refusal(PUBLIC)
    assert parse(PUBLIC + "[access]\nbehind_tls_proxy = true\n").access.behind_tls_proxy
    pem = tmp_path / "server.pem"
    pem.touch()
    assert parse(PUBLIC + f'[tls]\ncertificate = "{pem}"\nkey = "{pem}"\n').tls is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[tls]\ncertificate = "no.pem"\nkey = "no.key"', "tls.certificate: no file 'no.pem'"),
        ('[access]\norigins = ["desk"]', "access.origins[0]: 'desk' is no origin"),
        ('[access]\norigins = ["https://a.b/c"]', "access.origins[0]"),
        (
            '[access]\npublic_url = "desk.example"',
            "access.public_url: 'desk.example' is no address",
        ),
        ('[access]\nhosts = ["desk.example:80"]', "access.hosts[0]: 'desk.example:80' is no name"),
        ('[access]\nhosts = ["Desk.Example"]', "in small letters"),
        ('[access]\nforwarded = "via"', "access.forwarded"),
        ('[access]\nhost = ["desk"]', "access.host: unknown key, did you mean hosts?"),
        (
            "[auth.default]\nsymbol = ['A']",
            "auth.default.symbol: unknown key, did you mean symbols?",
        ),
        ('[access]\nproxies = ["nginx"]', "access.proxies[0]: 'nginx' is no network"),
        ("[access]\nproxy_protocol = true", "access.proxies: missing"),
        ("[auth]", "auth.tokens: no client could log in"),
        ('[[auth.tokens]]\nname = "a"\nsha256 = "secret"', "auth.tokens[0].sha256"),
        (
            "\n".join([f'[[auth.tokens]]\nname = "a"\nsha256 = "{DIGEST}"'] * 2),
            "auth.tokens[1].name: 'a' is taken",
        ),
        (
            f'[[auth.tokens]]\nname = "a"\nsha256 = "{DIGEST}"\nchannel = ["price"]',
            "auth.tokens[0].channel: unknown key, did you mean channels?",
        ),
        (
            f'[[auth.tokens]]\nname = "a"\nsha256 = "{DIGEST}"\nsymbols = []',
            "auth.tokens[0].symbols",
        ),
        ('[auth.jwt]\nkey_file = "no.pem"', "auth.jwt.key_file: no file 'no.pem'"),
        (
            '[auth.jwt]\nkey_file = "no.pem"\nalgorithms = ["HS256", "RS256"]',
            "auth.jwt.algorithms: HS256 stands alone",
        ),
        ('[auth.jwt]\nkey_file = "no.pem"\nalgorithms = ["none"]', "auth.jwt.algorithms[0]"),
    ],
)
def test_what_is_wrong_is_refused_by_its_path(text: str, words: str) -> None:
    assert words in refusal(text)
