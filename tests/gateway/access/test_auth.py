"""Tokens and their rights; keys are made here, tokens are signed by the jwt package."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from ticker.config.access import AuthConfig, JwtConfig, Rights, TokenConfig
from ticker.errors import ConfigError
from ticker.gateway.access.auth import Authenticator, AuthError, hash_token, new_token
from ticker.gateway.access.web_tokens import WebTokens, parse_keys

NOW = 1_800_000_000
NS = 1_000_000_000
SECRET = b"0123456789abcdef0123456789abcdef"
ED = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))


def by_jwt(keys: bytes, **settings: Any) -> Authenticator:
    config = JwtConfig(key_file="keys", leeway=0.0, **settings)
    web_tokens = WebTokens(config, parse_keys(keys, config.algorithms))
    return Authenticator(AuthConfig(jwt=config), web_tokens)


def refused(authenticator: Authenticator, token: str, now: int = NOW) -> str:
    with pytest.raises(AuthError) as error:
        authenticator.grant(token, now * NS)
    return str(error.value)


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "desk", "exp": NOW + 60, "ticker": {}, **more}


def test_a_static_token_opens_what_its_table_says() -> None:
    token = new_token()
    table = TokenConfig(
        name="desk",
        sha256=hash_token(token),
        symbols=("AAPL", "BRK.*"),
        channels=("price",),
        max_rate=5.0,
    )
    authenticator = Authenticator(AuthConfig(tokens=(table,)))
    grant = authenticator.grant(token, NOW * NS)
    assert (grant.name, grant.max_rate, grant.expires) == ("desk", 5.0, 0)
    assert grant.channels == {"price"}
    seen = [symbol for symbol in ("AAPL", "AAPLX", "BRK.A", "BRK.B", "MSFT") if grant.sees(symbol)]
    assert seen == ["AAPL", "BRK.A", "BRK.B"]
    assert "not known" in refused(authenticator, token + "x")
    assert "not known" in refused(authenticator, table.sha256)


@pytest.mark.parametrize(
    ("algorithm", "private", "keys"),
    [("HS256", SECRET, SECRET + b"\n"), ("RS256", RSA, pem(RSA)), ("EdDSA", ED, pem(ED))],
)
def test_a_signed_token_opens_until_it_expires(algorithm: str, private: Any, keys: bytes) -> None:
    authenticator = by_jwt(keys, algorithms=(algorithm,))
    rights = {"symbols": ["M*"], "channels": ["quote"], "max_rate": 2, "connections": 3}
    token = jwt.encode(claims(nbf=NOW - 10, ticker=rights), private, algorithm)
    grant = authenticator.grant(token, NOW * NS)
    assert (grant.name, grant.max_rate, grant.connections) == ("desk", 2.0, 3)
    assert grant.expires == (NOW + 60) * NS
    assert grant.sees("MSFT")
    assert not grant.sees("AAPL")
    assert "expired" in refused(authenticator, token, NOW + 60)
    assert "not valid yet" in refused(authenticator, token, NOW - 11)
    head, body, signature = token.split(".")
    other = "A" if signature[4] != "A" else "B"
    assert "not signed" in refused(
        authenticator, f"{head}.{body}.{signature[:4]}{other}{signature[5:]}"
    )


def test_a_token_must_expire_and_be_for_us() -> None:
    authenticator = by_jwt(SECRET, algorithms=("HS256",), audience="prices", issuer="desk.example")
    right = claims(aud="prices", iss="desk.example")
    assert authenticator.grant(jwt.encode(right, SECRET), NOW * NS).name == "desk"
    for wrong, words in [
        ({key: value for key, value in right.items() if key != "exp"}, "lacks the claim exp"),
        (right | {"aud": "mail"}, "audience"),
        (right | {"iss": "elsewhere"}, "issuer"),
        (right | {"ticker": {"symbols": "AAPL"}}, "claim ticker"),
        (right | {"ticker": []}, "claim ticker"),
        (right | {"ticker": None}, "claim ticker"),
        (right | {"ticker": {"symbol": ["AAPL"]}}, "unknown field `symbol`"),
        (right | {"ticker": {"symbols": []}}, "length >= 1"),
        (right | {"ticker": {"channels": ["qoute"]}}, "qoute"),
        (right | {"ticker": {"max_rate": -1}}, ">= 0.0"),
        (right | {"ticker": {"max_symbols": -1}}, ">= 0"),
        (right | {"ticker": {"connections": -1}}, ">= 0"),
        (right | {"ticker": {"max_rate": float("nan")}}, "claim ticker"),
    ]:
        assert words in refused(authenticator, jwt.encode(wrong, SECRET))


def without_claim(**more: Any) -> str:
    said = {name: value for name, value in claims().items() if name != "ticker"}
    return jwt.encode(said | more, SECRET)


def test_a_token_without_the_claim_opens_nothing_by_itself() -> None:
    authenticator = by_jwt(SECRET, algorithms=("HS256",))
    for token in (without_claim(), without_claim(tikcer={"symbols": ["AAPL"]})):
        assert "lacks the claim ticker" in refused(authenticator, token)


def test_a_token_without_the_claim_opens_what_the_default_says() -> None:
    keys = JwtConfig(key_file="keys", algorithms=("HS256",))
    config = AuthConfig(jwt=keys, default=Rights(symbols=("A*",), channels=("price",)))
    web_tokens = WebTokens(keys, parse_keys(SECRET, keys.algorithms))
    authenticator = Authenticator(config, web_tokens)
    grant = authenticator.grant(without_claim(), NOW * NS)
    assert (grant.name, grant.channels, grant.metrics) == ("desk", frozenset({"price"}), False)
    assert [grant.sees(symbol) for symbol in ("AAPL", "MSFT")] == [True, False]
    more = authenticator.grant(jwt.encode(claims(ticker={"metrics": True}), SECRET), NOW * NS)
    assert more.metrics
    assert more.sees("MSFT"), "its own claim, and nothing of the default"


def test_no_other_algorithm_is_taken() -> None:
    # the public key as a shared secret, and no signature at all (RFC 8725, section 2.1)
    authenticator = by_jwt(pem(RSA), algorithms=("RS256",))
    unsigned = jwt.encode(claims(), "", "none")
    assert "not signed" in refused(authenticator, unsigned)
    confused = jwt.encode(claims(), b"k" * 32, "HS256")
    assert "not signed" in refused(authenticator, confused)


def test_a_key_set_is_searched_by_kid() -> None:
    document = {
        "keys": [
            {"kty": "EC", "crv": "P-256"},
            json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key())) | {"kid": "r"},
            json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(ED.public_key())) | {"kid": "e"},
        ]
    }
    authenticator = by_jwt(json.dumps(document).encode(), algorithms=("RS256", "EdDSA"))
    for private, algorithm, kid in ((RSA, "RS256", "r"), (ED, "EdDSA", "e"), (ED, "EdDSA", None)):
        headers = {"kid": kid} if kid else None
        token = jwt.encode(claims(), private, algorithm, headers=headers)
        assert authenticator.grant(token, NOW * NS).name == "desk"
    strange = jwt.encode(claims(), ED, "EdDSA", headers={"kid": "r"})
    assert "not signed" in refused(authenticator, strange)


def test_two_keys_may_be_valid_while_one_replaces_the_other() -> None:
    new = ed25519.Ed25519PrivateKey.generate()
    authenticator = by_jwt(pem(ED) + pem(new), algorithms=("EdDSA",))
    for private in (ED, new):
        assert authenticator.grant(jwt.encode(claims(), private, "EdDSA"), NOW * NS)


@pytest.mark.parametrize(
    ("data", "algorithms", "words"),
    [
        (b"", ("EdDSA",), "no key for EdDSA"),
        (b"short", ("HS256",), "5 bytes is too short"),
        (b'{"keys": 7}', ("RS256",), "not a JWK set"),
        (b'{"keys": []}', ("RS256",), "no key for RS256"),
        (pem(ED), ("RS256",), "not one for RS256"),
        (
            ED.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            ("EdDSA",),
            "private key",
        ),
    ],
)
def test_a_wrong_key_file_says_why(data: bytes, algorithms: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_keys(data, algorithms)


@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_any_text_is_a_grant_or_an_auth_error(text: str) -> None:
    authenticator = by_jwt(SECRET, algorithms=("HS256",))
    for token in (text, f"{text}.{text}.{text}", "eyJhbGciOiJIUzI1NiJ9." + text):
        with pytest.raises(AuthError):
            authenticator.grant(token, NOW * NS)
