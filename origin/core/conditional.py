"""Conditional requests: `If-None-Match` (RFC 9110, section 13.1.2)."""

import re

_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def is_known(if_none_match: str | None, etag: str) -> bool:
    """True where the client holds the representation that this strong ETag names, by weak comparison."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _ENTITY_TAG.findall(if_none_match)
