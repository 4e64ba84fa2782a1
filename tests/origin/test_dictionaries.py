"""Dictionary transport (RFC 9842) with a client of the test's own."""

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.digest import digest_of
from bundles.core.names import ArtifactPath, Product
from origin.core.dictionary import parse_available_dictionary
from origin.core.urls import any_version_url
from tests.support.deltas import SCRIPT, publish_two, scripts
from tests.support.http import raw
from tests.support.processes import origin

OLD, NEW = SCRIPT
CHROME = "gzip, deflate, br, zstd, dcb, dcz"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two builds and a delta between them."""
    return publish_two(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def keyed(two: Path) -> Iterator[httpx.Client]:
    """A client of an origin whose edge is declared to key on dictionaries."""
    with origin(two, "--edge-keys-dictionaries") as process, httpx.Client(base_url=process.url) as opened:
        opened.headers.clear()
        yield opened


def field(body: bytes) -> str:
    """The value of `Available-Dictionary` for who holds this body."""
    return f":{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def decode(body: bytes, dictionary: bytes) -> bytes:
    """What a `dcz` body is with the dictionary (RFC 9842, section 5)."""
    assert body[:8] == bytes.fromhex("5e2a4d1820000000")
    assert body[8:40] == hashlib.sha256(dictionary).digest()
    held = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdDecompressor(dict_data=held).decompressobj().decompress(body[40:])


def test_who_holds_the_older_build_gets_the_delta_and_makes_the_newer_one_of_it(keyed: httpx.Client) -> None:
    first, held = raw(keyed, OLD, accept_encoding="identity")
    pattern = re.fullmatch(r'match="([^"]*)"', first.headers["use-as-dictionary"])
    assert pattern is not None
    assert re.fullmatch(re.escape(pattern[1]).replace(r"\*", ".*"), NEW)
    response, body = raw(keyed, NEW, accept_encoding=CHROME, available_dictionary=field(held))
    assert response.headers["content-encoding"] == "dcz"
    assert decode(body, held) == scripts()[1]
    assert len(body) < len(raw(keyed, NEW, accept_encoding="br")[1]) / 10
    assert response.headers["vary"] == "Accept-Encoding, Available-Dictionary"
    assert response.headers["etag"] == f'"{digest_of(body)}"'
    assert response.headers["content-length"] == str(len(body))
    assert response.headers["use-as-dictionary"] == first.headers["use-as-dictionary"]


def test_a_delta_is_a_variant_as_any_other(keyed: httpx.Client) -> None:
    asked = {"accept_encoding": CHROME, "available_dictionary": field(scripts()[0])}
    full, body = raw(keyed, NEW, **asked)
    head, _ = raw(keyed, NEW, "HEAD", **asked)
    assert head.headers["etag"] == full.headers["etag"]
    assert raw(keyed, NEW, **asked, if_none_match=full.headers["etag"])[0].status_code == 304
    part, some = raw(keyed, NEW, **asked, range="bytes=40-49")
    assert (part.status_code, some, part.headers["content-encoding"]) == (206, body[40:50], "dcz")
    br = raw(keyed, NEW, accept_encoding="br")[0].headers
    assert br["etag"] != full.headers["etag"]
    assert br["vary"] == full.headers["vary"]


@pytest.mark.parametrize(
    ("accepted", "held"),
    [
        ("gzip, br", field(scripts()[0])),
        ("br, dcz;q=0", field(scripts()[0])),
        ("br, *", field(scripts()[0])),
        (CHROME, field(scripts()[1])),
        (CHROME, field(b"another file")),
        (CHROME, field(scripts()[0])[1:-1]),
        (CHROME, f'"{field(scripts()[0])}"'),
        (CHROME, field(scripts()[0]) + ", " + field(b"another file")),
        (CHROME, hashlib.sha256(scripts()[0]).hexdigest()),
        (CHROME, None),
    ],
)
def test_without_the_exact_dictionary_or_the_coding_there_is_no_delta(
    keyed: httpx.Client, accepted: str, held: str | None
) -> None:
    headers = {"accept_encoding": accepted} | ({"available_dictionary": held} if held else {})
    response, _ = raw(keyed, NEW, **headers)
    assert response.headers["content-encoding"] == "br"
    assert response.headers["vary"] == "Accept-Encoding, Available-Dictionary"


def test_an_edge_that_is_not_declared_to_key_on_dictionaries_never_gets_a_delta(two: Path) -> None:
    with origin(two) as process, httpx.Client(base_url=process.url) as client:
        response, _ = raw(client, NEW, accept_encoding=CHROME, available_dictionary=field(scripts()[0]))
        assert response.headers["content-encoding"] == "br"
        assert response.headers["vary"] == "Accept-Encoding"
        assert "use-as-dictionary" in response.headers


def test_what_gets_no_deltas_is_no_dictionary(keyed: httpx.Client, client: httpx.Client) -> None:
    assert "use-as-dictionary" not in raw(keyed, "/sdk@1.1.0/plain.bin")[0].headers
    assert "use-as-dictionary" not in raw(client, "/kit@1.0.0/app.js.map", accept_encoding="br")[0].headers


@given(st.binary(max_size=40))
def test_the_dictionary_is_a_byte_sequence_of_32_bytes(data: bytes) -> None:
    encoded = f":{base64.b64encode(data).decode()}:"
    expected = data.hex() if len(data) == 32 else None
    for header in (encoded, f" {encoded} ", f"{encoded};a=1", encoded.replace("=", "")):
        assert parse_available_dictionary(header) == expected


@given(st.text(max_size=60) | st.text(":=+/; AaZz09", max_size=60))
def test_any_header_has_an_answer(header: str) -> None:
    parse_available_dictionary(header)


def test_a_pattern_means_nothing_but_its_star() -> None:
    path = ArtifactPath("a(b)/{c}/:d?/e+f*g.js")
    assert any_version_url(Product("@acme/menu"), path) == f"/@acme/menu@*/{quote(path)}"
    assert not set("(){}:?+\\") & set(any_version_url(Product("@acme/menu"), path))
