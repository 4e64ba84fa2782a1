"""The test acts as Cloudflare does in front of the origin, by its documentation."""

import hashlib
import re
import socket
from urllib.parse import urlsplit

import brotli
import httpx
import pytest

from origin.core.headers import MAX_CACHE_TAG_BYTES, cache_tags
from tests.origin.conftest import CLIP
from tests.support.http import raw

FILE, CLIP_URL, RESOLUTION = "/kit@1.0.0/app.js", "/kit@1.0.0/clip.bin", "/t/pinned/sdk.json"
REDIRECTS = ("/sdk@stable/sdk.js", "/sdk@%5E1/sdk.js", "/t/pinned/sdk/sdk.js", "/t/acme~staging/sdk/sdk.js")
ALL = (FILE, CLIP_URL, RESOLUTION, *REDIRECTS, "/nope", "/sdk@9.9.9/sdk.js")
MIB = 1024 * 1024
ENDS_STALE_WHILE_REVALIDATE = ("s-maxage", "must-revalidate", "proxy-revalidate", "no-cache")


@pytest.mark.parametrize("url", [CLIP_URL, FILE])
@pytest.mark.parametrize("fixture", ["client", "streaming_client"])
def test_range_mode_fills_a_file_from_aligned_unencoded_parts(
    request: pytest.FixtureRequest, fixture: str, url: str
) -> None:
    client: httpx.Client = request.getfixturevalue(fixture)
    filled, total, etags = b"", None, set()
    while total is None or len(filled) < total:
        span = f"bytes={len(filled)}-{len(filled) + MIB - 1}"
        response, body = raw(client, url, accept_encoding="identity", range=span)
        assert response.status_code == 206
        assert "content-encoding" not in response.headers
        assert "transfer-encoding" not in response.headers
        place = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers["content-range"])
        assert place is not None
        start, last, total = (int(number) for number in place.groups())
        assert start == len(filled)
        assert int(response.headers["content-length"]) == len(body) == last - start + 1
        etags.add(response.headers["etag"])
        filled += body
    assert len(etags) == 1
    assert etags == {f'"{hashlib.sha256(filled).hexdigest()}"'}
    assert url != CLIP_URL or filled == CLIP


def test_a_cold_miss_is_filled_whole_in_the_best_that_cloudflare_asks_for(client: httpx.Client) -> None:
    response, body = raw(client, FILE, accept_encoding="br, gzip")
    assert response.headers["content-encoding"] == "br"
    assert int(response.headers["content-length"]) == len(body)
    assert brotli.decompress(body) == raw(client, FILE, accept_encoding="identity")[1]


def test_a_revalidation_finds_what_was_kept(client: httpx.Client) -> None:
    for url in (FILE, CLIP_URL, RESOLUTION):
        filled, _ = raw(client, url, accept_encoding="br, gzip")
        etag = filled.headers["etag"]
        for known in (etag, f"W/{etag}"):  # it weakens the ETag of what it encodes anew
            again, _ = raw(client, url, accept_encoding="br, gzip", if_none_match=known)
            assert again.status_code == 304


def test_every_etag_is_strong_and_quoted(client: httpx.Client) -> None:
    found = [raw(client, url)[0].headers.get("etag") for url in ALL]
    assert [etag is None for etag in found] == [False] * 3 + [True] * (len(ALL) - 3)
    assert all(re.fullmatch('"[0-9a-f]{64}"', etag) for etag in found if etag is not None)


def test_nothing_turns_stale_while_revalidate_off(client: httpx.Client) -> None:
    for url in (RESOLUTION, *REDIRECTS):
        response, _ = raw(client, url)
        for name in ("cache-control", "cdn-cache-control"):
            value = response.headers[name]
            assert "stale-while-revalidate=" in value
            assert not any(word in value for word in ENDS_STALE_WHILE_REVALIDATE)


def test_every_answer_says_how_long_it_keeps_and_none_sets_a_cookie(client: httpx.Client) -> None:
    for url in ALL:
        response, _ = raw(client, url)
        assert re.search(r"max-age=\d+|no-store", response.headers["cache-control"])
        assert "set-cookie" not in response.headers


def test_a_404_has_a_short_life_of_its_own(client: httpx.Client) -> None:
    response, _ = raw(client, "/sdk@1.1.0/not-yet.js")
    assert response.status_code == 404
    assert response.headers["cache-control"] == "public, max-age=5"


def test_vary_never_bypasses_the_cache(client: httpx.Client) -> None:
    assert {raw(client, url)[0].headers.get("vary") for url in ALL} == {None, "Accept-Encoding"}


def test_a_preflight_for_the_server_itself_is_answered(client: httpx.Client) -> None:
    place = urlsplit(str(client.base_url))
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(b"OPTIONS * HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"access-control-allow-origin: *" in answer


def test_cache_tags_are_ascii_without_spaces(client: httpx.Client) -> None:
    for url in (FILE, RESOLUTION, *REDIRECTS):
        assert re.fullmatch(r"[!-+\--~]+(,[!-+\--~]+)*", raw(client, url)[0].headers["cache-tag"])


@pytest.mark.parametrize("count", [1, 500, 600, 5_000])
def test_cache_tags_fit_and_are_whole_and_the_first_ones_are_kept(count: int) -> None:
    tags = ["product:sdk", *(f"channel:sdk/{'c' * 10}{number:06}" for number in range(count))]
    kept = cache_tags(*tags).split(",")
    assert len(",".join(kept)) <= MAX_CACHE_TAG_BYTES
    assert kept == tags[: len(kept)]
    assert len(kept) == len(tags) or len(",".join(tags[: len(kept) + 1])) > MAX_CACHE_TAG_BYTES


def test_cache_tags_may_fill_the_limit_to_the_byte() -> None:
    first = "a" * (MAX_CACHE_TAG_BYTES // 2)
    assert cache_tags(first, first[1:], "c") == f"{first},{first[1:]}"
    assert cache_tags(first, first, "c") == first
