"""Lists, page by page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.page import page_of
from bundles.core.errors import Invalid

KEYS = st.text(min_size=1, max_size=8)
LISTS = st.lists(KEYS, unique=True, max_size=30)
LIMITS = st.integers(min_value=1, max_value=12)


def pages(items: list[str], limit: int) -> list[tuple[str, ...]]:
    """All pages of a list that stays as it is; no more than one for each item, and an empty one."""
    found, cursor = [], ""
    for _ in range(len(items) + 1):
        page = page_of(items, str, cursor, limit)
        found.append(page.items)
        if page.next is None:
            break
        cursor = page.next
    return found


@given(LISTS, LIMITS)
def test_the_pages_are_the_list_each_item_once_and_in_order(items: list[str], limit: int) -> None:
    found = pages(items, limit)
    assert [item for page in found for item in page] == sorted(items)
    assert all(len(page) == limit for page in found[:-1])
    assert len(found[-1]) <= limit
    assert found[-1] or not items


@given(LISTS, LISTS, LIMITS)
def test_what_is_added_and_removed_moves_no_other_item(items: list[str], others: list[str], limit: int) -> None:
    first = page_of(items, str, "", limit)
    seen, rest = set(first.items), [item for item in items if item not in first.items]
    present = [*rest, *(other for other in others if other not in items)]
    if first.next is not None:
        found = page_of(present, str, first.next, len(present) + 1).items
        assert set(rest) <= set(found)
        assert not seen & set(found)


@given(st.text(alphabet="ABCabc012-_", max_size=12))
def test_any_cursor_begins_a_page_or_is_refused(cursor: str) -> None:
    try:
        page = page_of(["a", "b"], str, cursor, 1)
    except Invalid:
        return
    assert set(page.items) <= {"a", "b"}


def test_a_cursor_that_no_page_had_is_refused() -> None:
    with pytest.raises(Invalid, match="of no page"):
        page_of(["a"], str, "_", 1)
