"""Spans: parts of a body."""

import msgspec

from bundles.core.errors import Invalid


class Span(msgspec.Struct, frozen=True, order=True):
    """The bytes from `start` up to, but without, `end`: at least one."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise Invalid(f"there is no span from {self.start} to {self.end}")

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.end - self.start
