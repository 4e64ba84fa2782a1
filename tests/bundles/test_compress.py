"""Variants: each one decodes to the artifact."""

import gzip

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.compress import Encoding, encode, variants_of
from bundles.core.content_type import content_type_of

DECODERS = {
    Encoding.IDENTITY: bytes,
    Encoding.GZIP: gzip.decompress,
    Encoding.BR: brotli.decompress,
    Encoding.ZSTD: lambda body: zstandard.ZstdDecompressor().decompress(body),
}


@given(st.binary(max_size=2_000) | st.text("abc \n", max_size=3_000).map(str.encode))
def test_each_variant_decodes_to_the_artifact_and_is_smaller_than_it(data: bytes) -> None:
    variants = variants_of(data)
    assert variants[Encoding.IDENTITY] == data
    for encoding, body in variants.items():
        assert DECODERS[encoding](body) == data
        assert encoding is Encoding.IDENTITY or len(body) < len(data)


def test_what_compresses_has_all_encodings_and_what_does_not_has_none() -> None:
    assert set(variants_of(b"console.log(1);\n" * 100)) == set(Encoding)
    assert set(variants_of(b"")) == {Encoding.IDENTITY}
    assert set(variants_of(b"x")) == {Encoding.IDENTITY}
    assert set(variants_of(gzip.compress(b"console.log(1);\n" * 100))) == {Encoding.IDENTITY}


@pytest.mark.parametrize("encoding", Encoding)
def test_the_same_input_gives_the_same_bytes(encoding: Encoding) -> None:
    data = bytes(range(256)) * 20
    assert encode(data, encoding) == encode(data, encoding)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("lib/a.min.MJS", "text/javascript; charset=utf-8"),
        ("a.js.map", "application/json"),
        ("a.wasm", "application/wasm"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.woff2", "font/woff2"),
        ("a.json", "application/json"),
        ("LICENSE", "application/octet-stream"),
        ("js", "application/octet-stream"),
        ("js/readme", "application/octet-stream"),
    ],
)
def test_types_by_extension(path: str, content_type: str) -> None:
    assert content_type_of(path) == content_type
