"""Deltas: an artifact compressed with an older build's artifact as the dictionary, `dcz` (RFC 9842, section 5)."""

import hashlib
import math

import zstandard

from bundles.core.digest import Digest
from bundles.core.errors import Invalid

_MAGIC = bytes.fromhex("5e2a4d1820000000")  # a skippable zstd frame of 32 bytes: the dictionary's SHA-256
_HEADER_BYTES = len(_MAGIC) + 32
_LEVEL = 19
_MIN_WINDOW_LOG, _MAX_WINDOW_LOG = 10, 27  # zstd's smallest window, and RFC 9842's 128 MiB
_ALWAYS_DECODABLE_BYTES = 8 * 1024 * 1024

MOST_OF_BR = 0.8
"""A delta above this share of the br body is dropped: the store and the edges would hold it for little."""


def make_delta(data: bytes, dictionary: bytes) -> bytes:
    """The `dcz` body of the data for a client that holds the dictionary."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL,
        source_size=len(data),
        dict_size=len(dictionary),
        window_log=_window_log(len(data), len(dictionary)),
    )
    compressor = zstandard.ZstdCompressor(dict_data=_raw(dictionary), compression_params=parameters)
    return _MAGIC + hashlib.sha256(dictionary).digest() + compressor.compress(data)


def apply_delta(body: bytes, dictionary: bytes, size: int) -> bytes:
    """What the body decodes to with the dictionary, which must be of this size in bytes.

    Raises `Invalid` where the body is damaged, of another size or made for another dictionary.
    """
    if body[:_HEADER_BYTES] != _MAGIC + hashlib.sha256(dictionary).digest():
        raise Invalid("it has not the header of a dcz body for this dictionary")
    decompressor = zstandard.ZstdDecompressor(dict_data=_raw(dictionary))
    try:
        with decompressor.stream_reader(body[_HEADER_BYTES:]) as reader:
            data = reader.read(size + 1)
    except zstandard.ZstdError as error:
        raise Invalid(f"it does not decode ({error})") from None
    if len(data) != size:
        raise Invalid(f"it does not decode to {size} bytes")
    return data


def dictionary_of(body: bytes) -> Digest:
    """The digest of the dictionary that a `dcz` body was made for."""
    return Digest(body[len(_MAGIC) : _HEADER_BYTES].hex())


def is_worth_keeping(delta_size: int, br_size: int) -> bool:
    """True where the delta saves at least a fifth of the br body. Sizes in bytes."""
    return delta_size <= MOST_OF_BR * br_size


def _raw(dictionary: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _window_log(size: int, dictionary_size: int) -> int:
    """The window covers the data, so that all of the dictionary stays in reach, as far as clients must decode.

    That is 8 MiB, or 1.25 times the dictionary, and never above 128 MiB (RFC 9842, section 5).
    """
    most = math.floor(math.log2(max(_ALWAYS_DECODABLE_BYTES, 1.25 * dictionary_size)))
    wanted = math.ceil(math.log2(max(size, 1)))
    return max(_MIN_WINDOW_LOG, min(wanted, most, _MAX_WINDOW_LOG))
