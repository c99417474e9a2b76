"""permessage-deflate is negotiated by the grammar of RFC 6455, 9.1, and rules of RFC 7692, 7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.access.extensions import Deflate, negotiate
from ticker.gateway.access.handshake import Head
from ticker.gateway.access.problems import Refusal

ANY = Deflate(15, answers_bits=False)


def head(*values: str) -> Head:
    headers = tuple(("sec-websocket-extensions", value) for value in values)
    return Head("GET", "/stream", "1.1", headers, b"")


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        ("permessage-deflate", ANY),
        ("permessage-deflate; client_max_window_bits", ANY),  # browsers
        ("permessage-deflate;client_max_window_bits=15", ANY),
        ('permessage-deflate ; client_max_window_bits = "8"', ANY),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", ANY),
        ("permessage-deflate; server_max_window_bits=10", Deflate(10, answers_bits=True)),
        ('permessage-deflate; server_max_window_bits="9"', Deflate(9, answers_bits=True)),
        ('permessage-deflate; server_max_window_bits="1\\2"', Deflate(12, answers_bits=True)),
        ("permessage-deflate; server_max_window_bits=15", Deflate(15, answers_bits=True)),
        ("x-webkit-deflate-frame, permessage-deflate", ANY),
        (", ,permessage-deflate,", ANY),
        ('other; text="a, b; permessage-deflate"', None),
        ("permessage-bzip2", None),
        ("PERMESSAGE-DEFLATE", None),
        ("", None),
    ],
)
def test_an_offer_is_met_or_declined(offer: str, agreed: Deflate | None) -> None:
    assert negotiate(head(offer)) == agreed


@pytest.mark.parametrize(
    "parameters",
    [
        "strange",
        "strange=1",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=8",  # valid, and zlib makes no such stream
        "server_max_window_bits=16",
        "server_max_window_bits=09",
        "server_max_window_bits=+9",
        "server_max_window_bits=1e1",
        'server_max_window_bits=""',
        "client_max_window_bits=7",
        "client_max_window_bits=010",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits; client_max_window_bits=12",
    ],
)
def test_a_parameter_that_is_not_valid_declines_its_offer_alone(parameters: str) -> None:
    wrong = f"permessage-deflate; {parameters}"
    assert negotiate(head(wrong)) is None
    fallback = f"{wrong}, permessage-deflate; server_max_window_bits=11"
    assert negotiate(head(fallback)) == Deflate(11, answers_bits=True)
    assert negotiate(head(wrong, "permessage-deflate")) == ANY  # two headers are one list


def test_the_first_offer_that_can_be_met_is_taken() -> None:
    both = "permessage-deflate; server_max_window_bits=10, permessage-deflate"
    assert negotiate(head(both)) == Deflate(10, answers_bits=True)


@pytest.mark.parametrize(
    "text",
    [
        "permessage-deflate;",
        "permessage-deflate; =1",
        "permessage-deflate; server_max_window_bits=",
        'permessage-deflate; server_max_window_bits="10',
        "permessage-deflate server_no_context_takeover",
        "permessage-deflate=1",
        "(permessage-deflate)",
        "permessage-deflate; a=b=c",
        "permessage-deflate, other;",
    ],
)
def test_a_broken_list_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        negotiate(head(text))
    assert refused.value.kind[0] == 400


def test_the_answer_takes_over_no_context_on_either_side() -> None:
    takeover = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    assert ANY.answer == f"Sec-WebSocket-Extensions: {takeover}"
    bound = Deflate(10, answers_bits=True).answer
    assert bound == f"Sec-WebSocket-Extensions: {takeover}; server_max_window_bits=10"


@given(st.text(st.sampled_from('permsag-dfl;=,"\\ \t1509_wx\x7f'), max_size=60))
def test_any_text_gives_an_agreement_none_or_a_refusal(text: str) -> None:
    try:
        agreed = negotiate(head(f"permessage-deflate;{text}"))
    except Refusal:
        return
    assert agreed is None or 9 <= agreed.bits <= 15
