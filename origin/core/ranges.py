"""Ranges: which spans of a body a client asks for (RFC 9110, section 14)."""

import re

from bundles.core.span import Span

MAX_RANGES = 32
"""More ranges in one request are not looked at: the whole body is sent, as section 14.2 allows."""

PART_OVERHEAD = 160
"""About how many bytes a part costs beside its own: a smaller gap between two parts is sent instead."""

_MAX_CHARACTERS = 1_024
_BYTES = re.compile(r"bytes=(.*)", re.IGNORECASE)
_RANGE = re.compile(r"([0-9]*)-([0-9]*)")


def requested_spans(header: str, size: int) -> tuple[Span, ...] | None:
    """The spans of a body of this size, in bytes, to send; empty where none of those asked for is in it.

    None where the whole body is the answer: for another unit than bytes, for what is no valid list of ranges,
    for more of them than `MAX_RANGES`, for ranges that hold more bytes than the body has, and for an empty
    body. Ranges that overlap, or that are nearer to each other than a part's overhead, become one; the spans
    come in the order in which they were asked for.
    """
    specifier = _BYTES.fullmatch(header.strip(" \t"))
    if specifier is None or len(header) > _MAX_CHARACTERS or not size:
        return None
    texts = [text.strip(" \t") for text in specifier[1].split(",")]
    matches = [_RANGE.fullmatch(text) for text in texts if text]
    if not matches or len(matches) > MAX_RANGES:
        return None
    spans: list[Span] = []
    for match in matches:
        if match is None or not _is_valid(match[1], match[2]):
            return None
        if (span := _span(match[1], match[2], size)) is not None:
            spans.append(span)
    if sum(span.size for span in spans) > size:
        return None
    return _merged(spans)


def _is_valid(first: str, last: str) -> bool:
    """False for `-` and for a last position before the first one."""
    return bool(first or last) and not (first and last and int(last) < int(first))


def _span(first: str, last: str, size: int) -> Span | None:
    """None for a range of which nothing is in the body."""
    if first:
        start, end = int(first), int(last) + 1 if last else size
    else:
        start, end = max(0, size - int(last)), size
    return Span(start, min(end, size)) if start < size else None


def _merged(spans: list[Span]) -> tuple[Span, ...]:
    merged: list[tuple[int, Span]] = []
    for order, span in sorted(enumerate(spans), key=lambda item: item[1]):
        if merged and span.start - merged[-1][1].end < PART_OVERHEAD:
            before, last = merged.pop()
            merged.append((min(order, before), Span(last.start, max(last.end, span.end))))
        else:
            merged.append((order, span))
    return tuple(span for _, span in sorted(merged))
