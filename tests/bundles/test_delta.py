"""Deltas: bodies that only the holder of one older artifact can decode."""

import hashlib
import os

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.delta import apply_delta, dictionary_of, is_worth_keeping, make_delta
from bundles.core.digest import digest_of
from bundles.core.errors import Invalid

blobs = st.binary(max_size=3_000) | st.text("abc(){};\n", max_size=3_000).map(str.encode)


@given(blobs, blobs.filter(bool))
def test_a_delta_decodes_with_its_dictionary(data: bytes, dictionary: bytes) -> None:
    body = make_delta(data, dictionary)
    assert apply_delta(body, dictionary, len(data)) == data
    assert dictionary_of(body) == digest_of(dictionary)


def test_the_body_is_laid_out_as_the_rfc_says() -> None:
    dictionary, data = os.urandom(5_000), os.urandom(100)
    body = make_delta(dictionary + data, dictionary)
    assert body[:8] == bytes((0x5E, 0x2A, 0x4D, 0x18, 0x20, 0, 0, 0))
    assert body[8:40] == hashlib.sha256(dictionary).digest()
    raw = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    # The header is a skippable frame: a zstd decoder that has the dictionary may be given the whole body.
    with zstandard.ZstdDecompressor(dict_data=raw).stream_reader(body, read_across_frames=True) as reader:
        assert reader.read() == dictionary + data
    assert len(body) < 200


@pytest.mark.parametrize("size", [100, 3_000_000, 9_000_000, 20_000_000])
def test_no_window_is_larger_than_every_client_can_decode(size: int) -> None:
    dictionary = bytes(1_000) + os.urandom(1_000)
    body = make_delta(bytes(size), dictionary)
    assert zstandard.get_frame_parameters(body[40:]).window_size <= 8 * 1024 * 1024
    assert apply_delta(body, dictionary, size) == bytes(size)


def test_a_delta_is_refused_with_another_dictionary_size_or_damage() -> None:
    dictionary, data = b"the older file " * 50, b"the newer file " * 50
    body = make_delta(data, dictionary)
    for damaged, with_dictionary, size in [
        (body, dictionary + b"x", len(data)),
        (body, dictionary, len(data) - 1),
        (body, dictionary, len(data) + 1),
        (body[:-3], dictionary, len(data)),
        (b"\x00" + body[1:], dictionary, len(data)),
        (b"", dictionary, len(data)),
    ]:
        with pytest.raises(Invalid):
            apply_delta(damaged, with_dictionary, size)


def test_a_delta_that_saves_less_than_a_fifth_is_not_worth_keeping() -> None:
    assert is_worth_keeping(80, 100)
    assert not is_worth_keeping(81, 100)
