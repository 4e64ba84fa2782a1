"""Stretches of time of several widths, in each of which the same beacons are counted."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from release.core.counts import SLOT_SECONDS

MINUTE, HOUR = 60, 3600
WIDTHS = (SLOT_SECONDS, MINUTE, HOUR)
"""In seconds. Each is a multiple of the one before it."""


class Span(NamedTuple):
    """A time from `start` until before `end`, in seconds since the epoch, to be read by this width."""

    width: int
    start: int
    end: int


def floor(seconds: int, width: int) -> int:
    """The start of the stretch of this width that a time is in."""
    return seconds // width * width


def spans(start: int, end: int, kept: Mapping[int, int]) -> Sequence[Span]:
    """The time from `start` until before `end`, both of them whole slots, each moment once and by the widest
    stretches.

    `kept` has the time, a whole hour, since which a width's counts are all there; without one they always are.
    Where only coarser ones are left, `start` is that of the whole minute or hour that it is in, as `end` is.
    """
    for width, coarser in pairwise(WIDTHS):
        since = kept.get(width, 0)
        start = start if start >= since else floor(start, coarser)
        end = end if end >= since else floor(end, coarser)
    return tuple(_tiled(max(start, kept.get(HOUR, 0)), end, WIDTHS))


def _tiled(start: int, end: int, widths: Sequence[int]) -> Iterator[Span]:
    if start >= end:
        return
    *finer, width = widths
    first, last = -floor(-start, width), floor(end, width)
    if first >= last:
        yield from _tiled(start, end, finer)
        return
    yield from _tiled(start, first, finer)
    yield Span(width, first, last)
    yield from _tiled(last, end, finer)
