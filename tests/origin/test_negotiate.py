"""`Accept-Encoding` (RFC 9110, section 12.5.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.compress import Encoding
from origin.core.negotiate import choose_coding, parse_accept_encoding

ALL: dict[str, int] = {Encoding.IDENTITY: 1_000, Encoding.GZIP: 400, Encoding.BR: 300, Encoding.ZSTD: 350}
PLAIN: dict[str, int] = {Encoding.IDENTITY: 1_000}


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, "identity"),
        ("", "identity"),
        ("br, gzip", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("BR", "br"),
        ("GZip;Q=1.0", "gzip"),
        ("x-gzip", "gzip"),
        ("br;q=0", "identity"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.000, gzip;q=0.001", "gzip"),
        ("gzip;q=1, br;q=0.1", "gzip"),
        ("gzip;q=0.5, zstd;q=0.9, br;q=0.8", "zstd"),
        ("identity, br;q=0.5", "identity"),
        ("identity;q=0.5, br;q=0.5", "br"),
        ("*", "br"),
        ("*;q=0", None),
        ("*;q=0, identity", "identity"),
        ("*;q=0, gzip", "gzip"),
        ("identity;q=0", None),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("identity;q=0, *", "br"),
        ("deflate", "identity"),
        ("br;q=2", "identity"),
        ("br;q=abc, gzip", "gzip"),
        ("br ; q=0.5 , gzip ; q=0.4", "br"),
        (",,br,,", "br"),
        ("br;q=0, br", "br"),
        ("brr, gz", "identity"),
        ("zstd;q=0.5, *;q=0.7", "br"),
        ("br;q=1, br;q=0", "br"),
        ("br;level=5, gzip", "gzip"),
        ("dcz", "identity"),
    ],
)
def test_the_clients_q_comes_first_and_then_the_size(accepted: str | None, chosen: str | None) -> None:
    assert choose_coding(accepted, ALL) == chosen


@pytest.mark.parametrize(
    ("accepted", "chosen"), [("br", "identity"), ("identity;q=0", None), ("identity;q=0, br", None)]
)
def test_a_file_without_encodings_is_sent_as_it_is_or_not_at_all(accepted: str, chosen: str | None) -> None:
    assert choose_coding(accepted, PLAIN) == chosen


codings = st.sampled_from(["br", "gzip", "zstd", "identity", "*", "deflate"])
qualities = st.integers(0, 1000).map(lambda q: q / 1000)


@given(st.dictionaries(codings, qualities, max_size=6))
def test_nothing_is_sent_that_the_client_ruled_out_nor_less_than_it_wants(wanted: dict[str, float]) -> None:
    header = ", ".join(f"{coding};q={q:.3f}" for coding, q in wanted.items())
    chosen = choose_coding(header, ALL)

    def quality(encoding: str) -> float:
        unnamed = wanted.get("*", 0.0001 if encoding == Encoding.IDENTITY else 0.0)
        return wanted.get(encoding, unnamed)

    if chosen is None:
        assert all(quality(encoding) == 0 for encoding in Encoding)
    else:
        assert quality(chosen) == max(map(quality, Encoding)) > 0


@given(st.text(max_size=60))
def test_any_header_has_an_answer(header: str) -> None:
    parse_accept_encoding(header)
    choose_coding(header, ALL)


WITH_DELTA = {**ALL, "dcz": 20}


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("gzip, deflate, br, zstd, dcb, dcz", "dcz"),
        ("DCZ", "dcz"),
        ("br, gzip", "br"),
        ("br, dcz;q=0", "br"),
        ("br, dcz;q=0.9", "br"),
        ("*", "br"),
        ("br, *", "br"),
        ("identity;q=0, dcz", "dcz"),
        (None, "identity"),
    ],
)
def test_a_delta_is_sent_to_who_asks_for_it_by_name(accepted: str | None, chosen: str) -> None:
    assert choose_coding(accepted, WITH_DELTA) == chosen
