"""Names of the server, and the pages that may use it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.config import Config
from ticker.config.access import AccessConfig
from ticker.gateway.access.forwarded import Address
from ticker.gateway.access.notes import EVERY, Notes
from ticker.gateway.access.origins import Names, read_origin
from ticker.gateway.access.problems import FORBIDDEN_ORIGIN, TOO_LARGE, Refusal

NS = 1_000_000_000


def names(**settings: Any) -> Names:
    return Names(Config(access=AccessConfig(**settings)))


def host_answer(found: Names, host: str) -> int:
    try:
        found.check_host([host])
    except Refusal as refusal:
        return refusal.kind[0]
    return 200


def origin_refusal(found: Names, origin: str, address: Address) -> Refusal | None:
    try:
        found.check_origin([origin], address)
    except Refusal as refusal:
        return refusal
    return None


LOCAL = Address(("localhost:8700",))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8700", 200),
        ("localhost.", 200),
        ("127.0.0.1:8700", 200),
        ("192.0.2.1", 200),  # an address is no name that could have been made to lead here
        ("[::1]:8700", 200),
        ("[2001:db8::1]", 200),
        ("rebound.example:8700", 421),
        ("127.0.0.1.rebound.example", 421),
        ("localhost.rebound.example", 421),
        ("xlocalhost", 421),
        ("", 400),
        ("localhost:x", 400),
        ("localhost/", 400),
        ("a b", 400),
        ("user@localhost", 400),
    ],
)
def test_a_server_answers_to_loopback_names_and_addresses(host: str, status: int) -> None:
    assert host_answer(names(), host) == status


def test_it_answers_to_the_names_that_it_is_given() -> None:
    found = names(hosts=("ticker",), public_url="https://desk.example:8443/prices/")
    for host in ("ticker:8700", "ticker", "desk.example", "desk.example:8443", "localhost"):
        assert host_answer(found, host) == 200, host
    assert host_answer(found, "desk.example.rebound.example") == 421
    assert host_answer(names(hosts=("*",)), "rebound.example") == 200


@pytest.mark.parametrize(
    ("origin", "address", "passes"),
    [
        ("http://localhost:8700", LOCAL, True),
        ("https://localhost:8700", LOCAL, True),  # TLS may end before us
        ("http://localhost", LOCAL, False),
        ("http://localhost:8701", LOCAL, False),
        ("http://localhost", Address(("localhost:80",)), True),
        ("http://localhost:80", Address(("localhost",)), True),
        ("https://localhost", Address(("localhost:443",)), True),
        ("https://localhost", Address(("localhost:80",)), False),
        ("HTTP://LOCALHOST:8700", LOCAL, True),
        ("http://desk.example", Address(("127.0.0.1:8700", "desk.example")), True),
        ("http://desk.example", Address(("desk.example",), ("https",)), False),
        ("https://desk.example", Address(("desk.example",), ("https",)), True),
        ("https://[2001:db8::1]:8700", Address(("[2001:db8::1]:8700",)), True),
        ("null", LOCAL, False),
        ("file://", LOCAL, False),
        ("chrome-extension://localhost:8700", LOCAL, False),
        ("", LOCAL, False),
        ("http://localhost:8700.evil.example", LOCAL, False),
        ("http://localhost:8700@evil.example", LOCAL, False),
    ],
)
def test_a_page_of_the_address_that_was_asked_passes(
    origin: str, address: Address, passes: bool
) -> None:
    refusal = origin_refusal(names(), origin, address)
    assert (refusal is None) == passes
    assert refusal is None or refusal.kind is FORBIDDEN_ORIGIN


def test_the_address_that_clients_use_is_its_own() -> None:
    found = names(public_url="https://desk.example/prices/", origins=("https://other.example",))
    assert origin_refusal(found, "https://desk.example", LOCAL) is None
    assert origin_refusal(found, "https://desk.example:443", LOCAL) is None
    assert origin_refusal(found, "https://other.example", LOCAL) is None
    assert origin_refusal(found, "http://desk.example", LOCAL) is not None
    assert origin_refusal(names(origins=("*",)), "null", LOCAL) is None


def test_a_refusal_says_which_key_to_set_and_to_what() -> None:
    refusal = origin_refusal(names(), "https://desk.example", LOCAL)
    assert refusal is not None
    assert "sent to localhost:8700" in refusal.detail
    assert 'access.public_url = "https://desk.example"' in refusal.detail
    assert 'access.origins = ["https://desk.example"]' in refusal.detail


def test_two_origins_are_none() -> None:
    with pytest.raises(Refusal):
        names().check_origin(["http://localhost:8700", "http://localhost:8700"], LOCAL)


@given(st.text(max_size=60))
def test_any_text_is_an_origin_or_none(text: str) -> None:
    found = read_origin(text)
    if found is not None:
        scheme, host, port = found
        assert read_origin(f"{scheme}://{host}:{port}") == found


def test_refused_pages_are_logged_and_cannot_fill_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    notes = Notes()
    refusal = origin_refusal(names(), "https://desk.example", LOCAL)
    assert refusal is not None
    for n in range(1000):
        notes.refused(refusal, n)
    notes.refused(Refusal(TOO_LARGE, "no news for an operator"), 0)
    first = capsys.readouterr().out
    assert first.count("page refused") == 1
    assert "access.public_url" in first
    notes.refused(refusal, int(EVERY * NS) + 1)
    second = capsys.readouterr().out
    assert second.count("page refused") == 1
    assert "more_since=999" in second
    assert "no news" not in first + second
