"""Exact URLs on a real socket: the right variant, for ever."""

import base64
import gzip
import hashlib
from pathlib import Path

import brotli
import httpx
import pytest
import zstandard

from tests.support.http import raw

URL = "/sdk@1.1.0/sdk.js"
OPEN = {
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "timing-allow-origin": "*",
    "x-content-type-options": "nosniff",
}
DECODERS = {
    None: bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
}


@pytest.mark.parametrize("encoding", [None, "gzip", "br", "zstd"])
def test_each_variant_decodes_to_the_artifact_and_says_what_it_is(
    client: httpx.Client, dist: Path, encoding: str | None
) -> None:
    response, body = raw(client, URL, accept_encoding=encoding or "identity")
    assert response.status_code == 200
    assert response.headers.get("content-encoding") == encoding
    assert DECODERS[encoding](body) == (dist / "sdk.js").read_bytes()
    assert response.headers["content-length"] == str(len(body))
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert response.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"


def test_the_headers_of_an_exact_url(client: httpx.Client) -> None:
    response, _ = raw(client, URL, accept_encoding="br")
    assert response.headers.items() >= OPEN.items()
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["cache-tag"] == "product:sdk,build:sdk@1.1.0"
    assert "set-cookie" not in response.headers
    assert "server" not in response.headers


def test_what_cloudflare_asks_is_answered_in_br(client: httpx.Client) -> None:
    assert raw(client, URL, accept_encoding="br, gzip")[0].headers["content-encoding"] == "br"


def test_every_variant_has_a_strong_etag_of_its_own(client: httpx.Client) -> None:
    etags = {
        raw(client, URL, accept_encoding=coding)[0].headers["etag"]
        for coding in ("identity", "gzip", "br", "zstd")
    }
    assert len(etags) == 4
    assert all(etag.startswith('"') and etag.endswith('"') for etag in etags)


def test_a_file_with_one_variant_does_not_vary(client: httpx.Client) -> None:
    response, _ = raw(client, "/sdk@1.1.0/lib/extra.mjs", accept_encoding="br")
    assert "content-encoding" not in response.headers
    assert "vary" not in response.headers


@pytest.mark.parametrize("encoding", ["identity", "gzip", "br"])
def test_who_has_the_variant_gets_304_with_the_headers_that_caches_need(
    client: httpx.Client, encoding: str
) -> None:
    full, _ = raw(client, URL, accept_encoding=encoding)
    for header in (full.headers["etag"], f"W/{full.headers['etag']}", f'"x", {full.headers["etag"]}', "*"):
        response, body = raw(client, URL, accept_encoding=encoding, if_none_match=header)
        assert (response.status_code, body) == (304, b"")
        for name in ("etag", "cache-control", "vary", "cache-tag", "access-control-allow-origin"):
            assert response.headers[name] == full.headers[name]
        assert "content-encoding" not in response.headers


def test_the_etag_of_another_variant_is_no_match(client: httpx.Client) -> None:
    etag = raw(client, URL, accept_encoding="gzip")[0].headers["etag"]
    assert raw(client, URL, accept_encoding="br", if_none_match=etag)[0].status_code == 200


@pytest.mark.parametrize("encoding", ["identity", "br"])
def test_head_is_get_without_a_body(client: httpx.Client, encoding: str) -> None:
    raw(client, URL, accept_encoding=encoding)
    got, _ = raw(client, URL, accept_encoding=encoding)
    head, body = raw(client, URL, "HEAD", accept_encoding=encoding)
    assert body == b""
    assert head.status_code == 200
    without_date = {name: value for name, value in got.headers.items() if name != "date"}
    assert {name: value for name, value in head.headers.items() if name != "date"} == without_date


def test_a_client_that_takes_nothing_we_have_gets_406(client: httpx.Client) -> None:
    response, _ = raw(client, URL, accept_encoding="identity;q=0, deflate")
    assert response.status_code == 406
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers.items() >= OPEN.items()


def test_options_allows_every_site_to_read(client: httpx.Client) -> None:
    response, body = raw(
        client, URL, "OPTIONS", origin="https://shop.example", access_control_request_method="GET"
    )
    assert (response.status_code, body) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert "GET" in response.headers["access-control-allow-methods"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_not_allowed(client: httpx.Client, method: str) -> None:
    response, _ = raw(client, URL, method)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/sdk@1.1.0/nope.js",
        "/sdk@9.9.9/sdk.js",
        "/nope@1.0.0/sdk.js",
        "/sdk@1.1.0/%2e%2e/sdk.js",
        "/sdk@1.1.0/..%2f..%2f..%2f..%2fkeys%2fsigning.pem",
        "/sdk@1.1.0/%00",
        "/sdk@..%2f1.1.0/sdk.js",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/t/acme/nope/sdk.js",
        "/t/acme/nope.json",
        "/t/a%20b/sdk.json",
        "/sdk@nope/sdk.js",
        "/sdk@%5E9/sdk.js",
        "/healthz",
    ],
)
def test_what_is_not_there_is_a_small_readable_404_kept_for_seconds(client: httpx.Client, url: str) -> None:
    response, body = raw(client, url)
    assert response.status_code == 404
    assert len(body) < 300
    assert response.headers["cache-control"] == "public, max-age=5"
    assert response.headers.items() >= OPEN.items()


def test_a_blocked_build_is_gone(client: httpx.Client) -> None:
    response, _ = raw(client, "/sdk@1.0.1/sdk.js")
    assert response.status_code == 410
    assert response.headers["cache-control"] == "public, max-age=5"
    assert response.headers.items() >= OPEN.items()


def test_a_build_that_nobody_was_given_can_be_had_by_its_exact_url(client: httpx.Client) -> None:
    assert raw(client, "/sdk@1.3.0/sdk.js")[0].status_code == 200


def test_scoped_products_have_exact_urls(client: httpx.Client) -> None:
    assert raw(client, "/@acme/menu@1.0.0/data.json")[0].headers["content-type"] == "application/json"
    assert raw(client, "/%40acme/menu%401.0.0/data.json")[0].status_code == 200
