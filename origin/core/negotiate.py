"""Which variant a client gets: `Accept-Encoding` (RFC 9110, section 12.5.3)."""

import re
from collections.abc import Mapping

from bundles.core.compress import Encoding
from origin.core.dictionary import DCZ

_ELEMENT = re.compile(r"\s*([!#$%&'*+.^_`|~0-9a-z-]+)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?")
_ALIASES = {"x-gzip": "gzip"}  # RFC 9110, section 8.4.1.3


def choose_coding(accepted: str | None, sizes: Mapping[str, int]) -> str | None:
    """The coding with the client's highest q, and among those the smallest body; None where it takes none.

    `sizes` are the bodies' sizes in bytes by coding, identity among them. Without the header the answer is
    identity: who does not say what it can decode may be unable to. Elements that can't be parsed are passed over.
    """
    if accepted is None:
        return Encoding.IDENTITY
    qualities = parse_accept_encoding(accepted)
    ranked = [
        (quality, -size, coding)
        for coding, size in sizes.items()
        if (quality := _quality(coding, qualities)) is not None
    ]
    return max(ranked)[2] if ranked else None


def parse_accept_encoding(text: str) -> dict[str, float]:
    """Each coding's q by its lower-case name. A coding named twice has the higher one."""
    qualities: dict[str, float] = {}
    for element in text.lower().split(","):
        match = _ELEMENT.fullmatch(element)
        if match is not None:
            coding = _ALIASES.get(match[1], match[1])
            qualities[coding] = max(qualities.get(coding, 0.0), float(match[2] or 1))
    return qualities


def _quality(coding: str, qualities: Mapping[str, float]) -> float | None:
    """The client's q for a coding; None where it is not acceptable. Unnamed, identity comes last.

    A delta must be asked for by name: a `*` is most often older than dictionaries are.
    """
    quality = qualities.get(coding, None if coding == DCZ else qualities.get("*"))
    if quality is None:
        return 0.0 if coding == Encoding.IDENTITY else None
    return quality or None
