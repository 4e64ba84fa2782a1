"""The memo keeps what is asked for, within its bounds."""

import math

from hypothesis import given
from hypothesis import strategies as st

from origin.memo import Memo, SentAnswer

BUDGET = 100_000
LARGEST = 5_000


def answer(size: int) -> SentAnswer:
    return SentAnswer(b"HTTP/1.1 200 OK\r\n", b"etag: x\r\n\r\n", bytes(size), math.inf, lambda: None)


def keep(memo: Memo, name: int, size: int) -> None:
    memo.keep((b"%d" % name,), answer(size), memo.generation)


def has(memo: Memo, name: int) -> bool:
    return memo.get((b"%d" % name,), lambda: 0) is not None


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8_000), st.booleans()), max_size=200))
def test_it_stays_within_its_budget_and_has_what_was_kept_last(steps: list[tuple[int, int, bool]]) -> None:
    memo = Memo(BUDGET)
    for name, size, is_asked in steps:
        if is_asked:
            has(memo, name)
            continue
        keep(memo, name, size)
        assert memo.bytes <= BUDGET
        assert size > LARGEST or has(memo, name)
    memo.forget()
    assert (memo.bytes, len(memo)) == (0, 0)


def test_what_is_asked_for_stays_while_others_come_and_go() -> None:
    memo = Memo(BUDGET)
    for name in range(1_000):
        keep(memo, name, 1_000)
        assert has(memo, 0)
    assert 30 < len(memo) < 60


def test_what_is_not_asked_for_any_more_goes() -> None:
    memo = Memo(BUDGET)
    for name in range(20):
        keep(memo, name, 1_000)
        has(memo, name)
    for name in range(100, 1_000):
        keep(memo, name, 1_000)
    assert not any(has(memo, name) for name in range(20))
