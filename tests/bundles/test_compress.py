"""Encodings and media types: what each one decodes to, and what it is called."""

import gzip
import os
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.compress import COMPRESSED, Encoding, decode, encode
from bundles.core.content_type import content_type_of
from bundles.core.errors import Invalid
from bundles.cores import Cores
from bundles.variants import encode_all

DECODERS = {
    Encoding.IDENTITY: bytes,
    Encoding.GZIP: gzip.decompress,
    Encoding.BR: brotli.decompress,
    Encoding.ZSTD: lambda body: zstandard.ZstdDecompressor().decompress(body),
}


COMPRESSIBLE = b"console.log(1);\n" * 100


@given(st.binary(max_size=2_000) | st.text("abc \n", max_size=3_000).map(str.encode), st.sampled_from(Encoding))
def test_each_encoding_decodes_to_the_artifact_by_another_decoder_too(data: bytes, encoding: Encoding) -> None:
    body = encode(data, encoding)
    assert DECODERS[encoding](body) == data
    assert decode(body, encoding, len(data)) == data
    with pytest.raises(Invalid, match="does not decode"):
        decode(body, encoding, len(data) + 1)


@pytest.mark.anyio
@pytest.mark.parametrize("copies", [1, 200])
async def test_what_compresses_has_all_encodings_and_what_does_not_has_none(copies: int) -> None:
    cores = Cores()
    made = await encode_all(cores, COMPRESSIBLE * copies)
    assert set(made) == set(COMPRESSED)
    assert all(DECODERS[encoding](body) == COMPRESSIBLE * copies for encoding, body in made.items())
    for data in (b"", b"x", os.urandom(800 * copies)):
        assert await encode_all(cores, data) == {}


def test_gzip_is_smaller_than_zlib_makes_it() -> None:
    script = (Path(__file__).parents[2] / "headrace/demo/fallback/6.0.0/web-vitals.iife.js").read_bytes()
    assert len(encode(script, Encoding.GZIP)) < 0.995 * len(gzip.compress(script, 9))


@pytest.mark.parametrize("encoding", Encoding)
def test_the_same_input_gives_the_same_bytes(encoding: Encoding) -> None:
    data = bytes(range(256)) * 20
    assert encode(data, encoding) == encode(data, encoding)


@pytest.mark.parametrize(
    ("path", "data", "content_type"),
    [
        ("a.js", b"x", "text/javascript; charset=utf-8"),
        ("lib/a.min.MJS", b"x", "text/javascript; charset=utf-8"),
        ("a.js.map", b"{}", "application/json"),
        ("a.css", b"x", "text/css; charset=utf-8"),
        ("a.json", b"[]", "application/json"),
        ("a.svg", b"<svg/>", "image/svg+xml"),
        ("a.webmanifest", b"{}", "application/manifest+json"),
        ("a.js", b"\x89PNG\r\n\x1a\n", "text/javascript; charset=utf-8"),
        ("a.wasm", b"\x00asm\x01\x00\x00\x00", "application/wasm"),
        ("a.woff2", b"wOF2rest", "font/woff2"),
        ("a.png", b"\x89PNG\r\n\x1a\nrest", "image/png"),
        ("a.png", b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        ("a.jpg", b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        ("a.avif", b"\x00\x00\x00\x1cftypavif", "image/avif"),
        ("a.png", b"what is this", "image/png"),
        ("logo", b"GIF89a....", "image/gif"),
        ("LICENSE", "MIT License, © all".encode(), "text/plain; charset=utf-8"),
        ("js", b"plain words", "text/plain; charset=utf-8"),
        ("cut", ("é" * 1_000).encode(), "text/plain; charset=utf-8"),
        ("nothing", b"", "application/octet-stream"),
        ("data.bin", b"\x00\x01\x02", "application/octet-stream"),
        ("latin", b"caf\xe9 au lait", "application/octet-stream"),
    ],
)
def test_types_by_extension_and_by_the_first_bytes(path: str, data: bytes, content_type: str) -> None:
    assert content_type_of(path, data) == content_type
