"""Answers that were sent, as bytes, to be sent again: bounded in bytes and in number."""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence

from origin.core.head import RequestKey

_MAX_ANSWERS = 65_536
_ANSWER_OVERHEAD_BYTES = 1024  # of the objects that hold an answer and its key: measured, rounded up


class SentAnswer:
    """What stood before and after the server's own headers, and until when it may be sent again.

    `fields` are the head's, up to where a request's own bytes go if it has any, and `rest` is all that follows.
    `until` is in seconds since the epoch, infinite where only a new routing table can change the answer.
    `each_time` is to be called for each.
    """

    __slots__ = ("each_time", "fields", "is_in_use", "rest", "size", "status_line", "until")

    def __init__(
        self, status_line: bytes, fields: bytes, rest: bytes, until: float, each_time: Callable[[], None]
    ) -> None:
        self.status_line = status_line
        self.fields = fields
        self.rest = rest
        self.until = until
        self.each_time = each_time
        self.size = len(fields) + len(rest)
        self.is_in_use = False


class Memo:
    """The answers that are asked for, of the routing table in force alone.

    `budget` is the most bytes that they take in all; of 0, none is kept. Who goes is found as by a clock's hand
    (second chance): to ask for an answer sets a mark in it and touches no other, however many there are.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._answers: OrderedDict[RequestKey, SentAnswer] = OrderedDict()
        self._bytes = 0
        self.generation = 0
        self.largest = budget // 16

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def bytes(self) -> int:
        """About how much memory the answers take."""
        return self._bytes

    def get(self, key: RequestKey, clock: Callable[[], float]) -> SentAnswer | None:
        """The answer to this request, if it is known and still holds by the clock."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        if answer.until != math.inf and answer.until <= clock():
            self._drop(key)
            return None
        answer.is_in_use = True
        return answer

    def keep(self, key: RequestKey, answer: SentAnswer, generation: int) -> None:
        """Remember an answer that was begun in this generation; one of an earlier generation is not kept."""
        size = _size(key, answer)
        if generation != self.generation or size > self.largest:
            return
        if key in self._answers:
            self._drop(key)
        while self._bytes + size > self.budget or len(self._answers) == _MAX_ANSWERS:
            self._make_room()
        self._answers[key] = answer
        self._bytes += size

    def forget(self) -> None:
        """Begin anew: another routing table is in force."""
        self.generation += 1
        self._answers.clear()
        self._bytes = 0

    def _make_room(self) -> None:
        """Drop the answer that has been here longest, or let it stay another round if it was asked for since."""
        key, answer = next(iter(self._answers.items()))
        if answer.is_in_use:
            answer.is_in_use = False
            self._answers.move_to_end(key)
        else:
            self._drop(key)

    def _drop(self, key: RequestKey) -> None:
        self._bytes -= _size(key, self._answers.pop(key))


def _size(key: Sequence[bytes], answer: SentAnswer) -> int:
    return sum(map(len, key)) + answer.size + _ANSWER_OVERHEAD_BYTES
