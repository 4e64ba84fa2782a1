"""Lists, page by page."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from bundles.core.errors import Invalid

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list; `next` is the cursor of the page after it, null at the end."""

    items: tuple[T, ...]
    next: str | None = None


def page_of(items: Sequence[T], key: Callable[[T], str], cursor: str, limit: int) -> Page[T]:
    """The page of these items, in the order of their keys, that this cursor begins.

    A cursor is the last key of the page before, so what is added or removed meanwhile moves no other item.
    Raises `Invalid` for a cursor that no page had.
    """
    after = open_cursor(cursor)
    rest = [item for item in sorted(items, key=key) if not after or key(item) > after]
    shown = tuple(rest[:limit])
    return Page(shown, seal_cursor(key(shown[-1])) if len(rest) > limit else None)


def seal_cursor(key: str) -> str:
    """The cursor of the page after the item with this key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def open_cursor(cursor: str) -> str:
    """The key that a cursor is of; "" for the first page. Raises `Invalid` for a cursor that no page had."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise Invalid("that cursor is of no page: take it from `next` of the page before") from None
