"""The core's types as JSON documents, in the snapshot and in the ledger alike."""

from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from bundles.core.version import Range

T = TypeVar("T")

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises of a document that others have sent: of another form, no UTF-8, or nested without end."""


def encode_document(value: object) -> bytes:
    """Canonical JSON: sorted keys, no white space."""
    return msgspec.json.encode(value, order="sorted", enc_hook=_encode_range)


def decode_document(document: bytes | str, kind: type[T]) -> T:
    """The value, with all its invariants checked. Raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return msgspec.json.decode(document, type=kind, dec_hook=_decode_range)


def _encode_range(value: Any) -> str:
    if isinstance(value, Range):
        return value.text
    raise NotImplementedError(type(value))


def _decode_range(wanted: type, value: Any) -> Range:
    if wanted is Range and isinstance(value, str):
        return _range(value)
    raise NotImplementedError(wanted)


@lru_cache(maxsize=16_384)
def _range(text: str) -> Range:
    """To read a range takes longer than all else of a pin, and many pins hold few ranges."""
    return Range(text)
