"""Ranges on a real socket, of bodies in memory and of bodies that are streamed from the store."""

import re
import shutil
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.origin.conftest import CLIP
from tests.support.cli import succeed
from tests.support.http import raw
from tests.support.processes import origin

URL = "/kit@1.0.0/clip.bin"
SCRIPT = "/kit@1.0.0/app.js"
SIZE = len(CLIP)
MANY = 10_000


@pytest.fixture(scope="session", params=["from memory", "streamed"])
def reader(request: pytest.FixtureRequest) -> httpx.Client:
    """Each of the two clients."""
    name = "client" if request.param == "from memory" else "streaming_client"
    opened: httpx.Client = request.getfixturevalue(name)
    return opened


def parts_of(response: httpx.Response, body: bytes) -> list[tuple[int, bytes]]:
    """Where each part of the answer begins, and its bytes."""
    if "content-range" in response.headers:
        return [(int(response.headers["content-range"].removeprefix("bytes ").partition("-")[0]), body)]
    boundary = response.headers["content-type"].removeprefix("multipart/byteranges; boundary=")
    opening, *parts, closing = body.split(f"--{boundary}".encode())
    assert (opening, closing) == (b"", b"--\r\n")
    found = []
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        spot = re.search(rb"Content-Range: bytes (\d+)-(\d+)/(\d+)", head)
        assert spot is not None
        assert int(spot[3]) == SIZE
        assert len(content) == int(spot[2]) - int(spot[1]) + 1 + len(b"\r\n")
        found.append((int(spot[1]), content[:-2]))
    return found


def test_the_whole_file_is_what_was_published(reader: httpx.Client) -> None:
    response, body = raw(reader, URL)
    assert (response.status_code, body) == (200, CLIP)
    assert "vary" not in response.headers


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-5", 5, 6),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=0-", 0, SIZE),
        (f"bytes={SIZE - 2}-{SIZE + 100}", SIZE - 2, SIZE),
        ("bytes=200000-1199999", 200_000, 1_200_000),
        (f"bytes=-{SIZE + 1}", 0, SIZE),
    ],
)
def test_one_range(reader: httpx.Client, asked: str, start: int, end: int) -> None:
    whole, _ = raw(reader, URL, "HEAD")
    response, body = raw(reader, URL, range=asked)
    assert (response.status_code, body) == (206, CLIP[start:end])
    assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert response.headers["content-length"] == str(end - start)
    for name in ("etag", "repr-digest", "cache-control", "content-type", "access-control-allow-origin"):
        assert response.headers[name] == whole.headers[name]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, 60_000)), min_size=1, max_size=8))
def test_the_parts_of_any_ranges_are_the_bytes_at_their_places(
    reader: httpx.Client, ranges: list[tuple[int, int]]
) -> None:
    asked = "bytes=" + ",".join(f"{start}-{start + length}" for start, length in ranges)
    response, body = raw(reader, URL, range=asked)
    assert response.status_code == 206
    assert len(body) == int(response.headers["content-length"])
    parts = parts_of(response, body)
    assert 0 < len(parts) <= len(ranges)
    for at, content in parts:
        assert content == CLIP[at : at + len(content)]
    for start, length in ranges:
        end = min(start + length + 1, SIZE)
        assert any(at <= start and end <= at + len(content) for at, content in parts)


def test_the_same_request_has_the_same_bytes_each_time(reader: httpx.Client) -> None:
    first, again = (raw(reader, URL, range="bytes=0-9, 100000-100009")[1] for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-2",
        "bytes=x",
        "lines=0-1",
        "bytes=0-,0-",
        "bytes=" + ",".join(f"{n * 300}-{n * 300}" for n in range(1_000)),
        "bytes=" + ",".join(["-1"] * MANY),  # as many as a head has room for
    ],
)
def test_what_is_no_use_to_split_up_is_sent_whole(reader: httpx.Client, asked: str) -> None:
    response, body = raw(reader, URL, range=asked)
    assert (response.status_code, len(body)) == (200, SIZE)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0", f"bytes={SIZE}-, {SIZE + 5}-"])
def test_what_is_not_there_is_416_which_says_how_much_there_is(reader: httpx.Client, asked: str) -> None:
    response, body = raw(reader, URL, range=asked)
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{SIZE}"
    assert len(body) < 200


def test_an_empty_file_has_no_part(client: httpx.Client) -> None:
    response, body = raw(client, "/kit@1.0.0/empty.txt", range="bytes=0-")
    assert (response.status_code, body, response.headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize("coding", ["br", "gzip", "zstd"])
def test_a_range_of_an_encoded_variant_is_of_the_encoded_bytes(client: httpx.Client, coding: str) -> None:
    full, whole = raw(client, SCRIPT, accept_encoding=coding)
    response, part = raw(client, SCRIPT, accept_encoding=coding, range="bytes=3-12")
    assert (response.status_code, part) == (206, whole[3:13])
    assert response.headers["content-encoding"] == coding
    assert response.headers["content-range"] == f"bytes 3-12/{len(whole)}"
    assert response.headers["etag"] == full.headers["etag"]
    assert response.headers["vary"] == "Accept-Encoding"


def test_several_ranges_are_of_the_file_as_it_is_or_else_the_whole(client: httpx.Client) -> None:
    _, whole = raw(client, SCRIPT, accept_encoding="br")
    response, body = raw(client, SCRIPT, accept_encoding="br", range="bytes=0-0,-1")
    assert (response.status_code, body) == (200, whole)
    response, _ = raw(client, SCRIPT, accept_encoding="identity", range="bytes=0-0,-1")
    assert response.status_code == 206
    assert response.headers["content-type"].startswith("multipart/byteranges; boundary=")


def test_a_download_goes_on_only_with_the_bytes_that_it_began_with(reader: httpx.Client) -> None:
    etag = raw(reader, URL, "HEAD")[0].headers["etag"]
    for if_range, status in (
        (etag, 206),
        ('"other"', 200),
        (f"W/{etag}", 200),
        ("Wed, 25 Nov 2026 00:00:00 GMT", 200),
    ):
        assert raw(reader, URL, range="bytes=9-", if_range=if_range)[0].status_code == status, if_range


def test_conditions_come_before_ranges(reader: httpx.Client) -> None:
    etag = raw(reader, URL, "HEAD")[0].headers["etag"]
    for headers, status in (
        ({"if_none_match": etag, "range": "bytes=0-0"}, 304),
        ({"if_match": '"x"', "if_none_match": etag, "range": "bytes=0-0"}, 412),
        ({"if_match": etag, "range": "bytes=0-0"}, 206),
        ({"if_match": etag, "if_none_match": '"x"', "range": f"bytes={SIZE}-"}, 416),
        ({"if_none_match": etag, "range": f"bytes={SIZE}-"}, 304),
        ({"if_modified_since": "Wed, 25 Nov 2099 00:00:00 GMT"}, 200),
        ({"if_unmodified_since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 200),
    ):
        assert raw(reader, URL, **headers)[0].status_code == status, headers


def test_head_has_no_ranges(reader: httpx.Client) -> None:
    response, body = raw(reader, URL, "HEAD", range="bytes=0-0")
    assert (response.status_code, body) == (200, b"")
    assert response.headers["content-length"] == str(SIZE)


def test_the_memory_says_what_it_did(served: Path) -> None:
    with origin(served, "--cache-mib", "1") as process, httpx.Client(base_url=process.url) as client:
        asked = [(SCRIPT, "identity"), (SCRIPT, "identity"), (SCRIPT, "br"), (URL, "identity"), (URL, "identity")]
        said = [raw(client, url, accept_encoding=coding)[0].headers["cache-status"] for url, coding in asked]
    stored, streamed = "headrace; fwd=miss; stored", "headrace; fwd=miss"
    assert said == [stored, "headrace; hit", stored, streamed, streamed]


def test_a_part_of_a_damaged_file_is_not_sent_though_the_part_is_sound(served: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(served, data, ignore=shutil.ignore_patterns("copies"))
    kit = str(served.parent / "kit")
    published = succeed(data, "publish", kit, "--product", "kit", "--version", "1.0.0", "--source-maps")
    entry = next(artifact for artifact in published["artifacts"] if artifact["path"] == "clip.bin")
    digest = entry["variants"][0]["digest"]
    (data / "store" / "blobs" / digest[:2] / digest).write_bytes(CLIP[:-1] + b"X")
    for arguments in ((), ("--cache-mib", "1")):
        with origin(data, *arguments) as process, httpx.Client(base_url=process.url) as client:
            for _ in range(2):
                response, _ = raw(client, URL, range="bytes=0-9")
                assert (response.status_code, response.headers["cache-control"]) == (503, "no-store")
