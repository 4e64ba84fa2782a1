"""Buckets: a tenant's fixed place in [0, 1), from which cohorts are cut."""

import hashlib
import re
from typing import NewType

from bundles.core.errors import Invalid

BasisPoints = NewType("BasisPoints", int)
"""A share in hundredths of a percent, 0 to 10,000: whole numbers, so that every language agrees on them."""

WHOLE = BasisPoints(10_000)
_BUCKETS = 1 << 64
_PERCENTAGE = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?%?")


def bucket_of(salt: str, tenant: str) -> int:
    """The first 8 bytes, big-endian, of SHA-256(salt + NUL + tenant, UTF-8): a whole number below 2^64."""
    return int.from_bytes(hashlib.sha256(f"{salt}\0{tenant}".encode()).digest()[:8], "big")


def is_in_cohort(bucket: int, share: BasisPoints) -> bool:
    """True for buckets below the share. A larger share holds all of a smaller one."""
    return bucket * WHOLE < share * _BUCKETS


def fraction_of(bucket: int) -> float:
    """The bucket as a person reads it, in [0, 1)."""
    return bucket / _BUCKETS


def parse_share(text: str) -> BasisPoints:
    """A percentage above 0 and up to 100, with at most two decimals: `5`, `0.5`, `12.25`, with or without %."""
    match = _PERCENTAGE.fullmatch(text)
    share = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) if match else 0
    if not 0 < share <= WHOLE:
        raise Invalid(f"{text!r} is not a percentage: write a number above 0 and up to 100, such as 5 or 0.25")
    return BasisPoints(share)


def format_share(share: BasisPoints) -> str:
    """The share as a person reads it: `5%`, `0.25%`."""
    return f"{share / 100:.2f}".rstrip("0").rstrip(".") + "%"
