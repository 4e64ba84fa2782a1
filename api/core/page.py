"""Lists, page by page."""

import base64
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from api.core.operation import Operation
from bundles.core.errors import Invalid

MOST_LOOKED_AT = 1_000
"""So many items are looked at for a page of those that are wanted among them, or as many as the page may have."""

T = TypeVar("T")
V = TypeVar("V")
K = TypeVar("K")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list; `next` is the cursor of the page after it, null at the end.

    A page in the midst of a list may hold fewer items than its limit, or none, where few are asked for of many.
    """

    items: tuple[T, ...]
    next: str | None = None

    def each(self, view: Callable[[T], V]) -> "Page[V]":
        """The same page, with what this makes of each item."""
        return Page(tuple(view(item) for item in self.items), self.next)


async def items_of(
    ask: Callable[[Operation[Page[T]]], Awaitable[Page[T]]], asked: Operation[Page[T]]
) -> AsyncGenerator[T, None]:
    """All items of a list, from this page on, as they come: `ask` gives each page."""
    page = await ask(asked)
    for item in page.items:
        yield item
    while page.next is not None:
        page = await ask(msgspec.structs.replace(asked, cursor=page.next))
        for item in page.items:
            yield item


def page_of(items: Sequence[T], key: Callable[[T], str], cursor: str, limit: int) -> Page[T]:
    """The page of these items, in the order of their keys, that this cursor begins.

    A cursor is the last key of the page before, so what is added or removed meanwhile moves no other item.
    Raises `Invalid` for a cursor that no page had.
    """
    after = open_cursor(cursor, str)
    rest = [item for item in sorted(items, key=key) if after is None or key(item) > after]
    return first_page(rest, key, limit)


def sifted_page(
    items: Sequence[T], key: Callable[[T], str], is_wanted: Callable[[T], bool], looked_at: int, limit: int
) -> Page[T]:
    """The page of those that are wanted of so many that were looked at, in the order that they have: one of them
    beyond that says that there is another page. Where few are wanted, it is a short one, or an empty one.
    """
    wanted = [item for item in items[:looked_at] if is_wanted(item)]
    if len(wanted) > limit or len(items) <= looked_at:
        return first_page(wanted, key, limit)
    return Page(tuple(wanted), seal_cursor(key(items[looked_at - 1])))


def first_page(items: Sequence[T], key: Callable[[T], str], limit: int) -> Page[T]:
    """The page that these items begin, in the order that they have: one of them beyond the limit says that there
    is another page.
    """
    shown = tuple(items[:limit])
    return Page(shown, seal_cursor(key(shown[-1])) if len(items) > limit else None)


def seal_cursor(key: str) -> str:
    """The cursor of the page after the item with this key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def open_cursor(cursor: str, read: Callable[[str], K]) -> K | None:
    """The key that a cursor is of, as this reads it; None for the first page.

    Raises `Invalid` for a cursor that no page had: one whose key can't be read.
    """
    try:
        key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        return read(key) if key else None
    except (ValueError, msgspec.MsgspecError):
        raise Invalid("that cursor is of no page: take it from `next` of the page before") from None
