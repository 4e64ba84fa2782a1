"""Faults that were measured in whitenoise 6.12.0 and Starlette 1.10.0, or reported of CDNs, are not made here."""

import httpx
import pytest

from tests.support.http import raw

FILE = "/kit@1.0.0/app.js"
CODINGS = ("identity", "gzip", "br", "zstd")


def test_whitenoise_has_one_strong_etag_for_all_encodings(client: httpx.Client) -> None:
    answers = {coding: raw(client, FILE, accept_encoding=coding)[0] for coding in CODINGS}
    assert len({answer.headers["etag"] for answer in answers.values()}) == len(CODINGS)
    for ours in CODINGS:
        for theirs in CODINGS:
            known = {"accept_encoding": ours, "if_none_match": answers[theirs].headers["etag"]}
            assert raw(client, FILE, **known)[0].status_code == (304 if ours == theirs else 200)


@pytest.mark.parametrize("asked", ["bytes=0-0", "bytes=5-5", "bytes=-1"])
def test_whitenoise_has_416_for_one_byte(client: httpx.Client, asked: str) -> None:
    response, body = raw(client, FILE, range=asked)
    assert (response.status_code, len(body)) == (206, 1)


def test_whitenoise_has_206_though_if_range_names_other_bytes(client: httpx.Client) -> None:
    assert raw(client, FILE, range="bytes=0-9", if_range='"other"')[0].status_code == 200


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("br;q=0, gzip", "gzip"),
        ("br;q=0", None),
        ("gzip;q=1, br;q=0.1", "gzip"),
        ("BR", "br"),
        ("gzip, br", "br"),
        ("*;q=0.5, br", "br"),
        ("identity;q=0", 406),
        ("identity;q=0, gzip", "gzip"),
    ],
)
def test_whitenoise_does_not_heed_q(client: httpx.Client, accepted: str, coding: str | int | None) -> None:
    response, _ = raw(client, FILE, accept_encoding=accepted)
    if coding == 406:
        assert response.status_code == 406
    else:
        assert response.headers.get("content-encoding") == coding


def test_whitenoise_does_not_know_the_star_in_if_none_match(client: httpx.Client) -> None:
    assert raw(client, FILE, if_none_match="*")[0].status_code == 304


def test_whitenoise_drops_headers_from_304_and_416(client: httpx.Client) -> None:
    for headers, status in (({"if_none_match": "*"}, 304), ({"range": "bytes=999999-"}, 416)):
        response, _ = raw(client, FILE, accept_encoding="br", **headers)
        assert response.status_code == status
        for name in ("access-control-allow-origin", "etag", "vary", "cache-control"):
            assert name in response.headers


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=0-0,5-2"])
def test_starlette_has_400_for_an_inverted_range(client: httpx.Client, asked: str) -> None:
    response, _ = raw(client, FILE, range=asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"


def test_cdns_had_answers_that_followed_the_origin_header_and_were_cached_for_other_sites(
    client: httpx.Client,
) -> None:
    answers = [raw(client, FILE, origin=f"https://{site}.example")[0] for site in ("a", "b")]
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}
    assert all("Origin" not in answer.headers["vary"] for answer in answers)


@pytest.mark.parametrize("headers", [{"range": "bytes=999999999-"}, {"if_match": '"x"'}])
def test_caches_that_store_every_status_could_be_made_to_hide_a_file(
    client: httpx.Client, headers: dict[str, str]
) -> None:
    response, _ = raw(client, FILE, **headers)
    assert response.status_code in (412, 416)
    assert response.headers["cache-control"] == "no-store"
