"""Conditional requests (RFC 9110, section 13).

No representation has a modification date here, only a strong ETag. So `If-Modified-Since` and
`If-Unmodified-Since` must be ignored (sections 13.1.3 and 13.1.4), and an `If-Range` date never holds (13.1.5).
"""

import re
from enum import Enum, auto

from origin.core.request import RequestView

_ENTITY_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class Outcome(Enum):
    """What the preconditions of a GET or HEAD make of it."""

    GO_ON = auto()
    NOT_MODIFIED = auto()
    FAILED = auto()


def evaluate(request: RequestView, etag: str) -> Outcome:
    """The outcome for the selected representation's ETag, in the order of section 13.2.2."""
    if request.if_match is not None and not _has(request.if_match, etag, weak=False):
        return Outcome.FAILED
    if request.if_none_match is not None and _has(request.if_none_match, etag, weak=True):
        return Outcome.NOT_MODIFIED
    return Outcome.GO_ON


def may_send_range(request: RequestView, etag: str) -> bool:
    """True where a GET's `Range` is to be looked at: it has one, and no `If-Range` speaks against it."""
    if request.method != "GET" or request.range is None:
        return False
    return request.if_range is None or request.if_range.strip(" \t") == etag


def _has(header: str, etag: str, *, weak: bool) -> bool:
    """True where the list of ETags has this strong one, by weak or by strong comparison (section 8.8.3.2)."""
    if header.strip(" \t") == "*":
        return True
    return any(tag == etag and (weak or not mark) for mark, tag in _ENTITY_TAG.findall(header))
