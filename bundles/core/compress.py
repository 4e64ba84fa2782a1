"""The encodings of an artifact, made once, at publish."""

import gzip
from enum import StrEnum

import brotli
import zstandard


class Encoding(StrEnum):
    """A content coding, by its name in `Content-Encoding` (IANA HTTP Content Coding Registry)."""

    IDENTITY = "identity"
    GZIP = "gzip"
    BR = "br"
    ZSTD = "zstd"


ZSTD_LEVEL = 19


def encode(data: bytes, encoding: Encoding) -> bytes:
    """The bytes in this encoding, at its highest practical level; the same input gives the same output."""
    match encoding:
        case Encoding.IDENTITY:
            return data
        case Encoding.GZIP:
            return gzip.compress(data, compresslevel=9, mtime=0)
        case Encoding.BR:
            return bytes(brotli.compress(data, quality=11, lgwin=24))
        case Encoding.ZSTD:
            return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(data)


def variants_of(data: bytes) -> dict[Encoding, bytes]:
    """Identity and each encoding that is smaller than it."""
    encoded = {encoding: encode(data, encoding) for encoding in Encoding}
    return {
        encoding: body
        for encoding, body in encoded.items()
        if encoding is Encoding.IDENTITY or len(body) < len(data)
    }
