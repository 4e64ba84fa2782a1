"""Buckets: a tenant's fixed place in [0, 1), from which cohorts are cut."""

import re
import struct
from hashlib import sha256
from typing import NewType

from bundles.core.errors import Invalid

BasisPoints = NewType("BasisPoints", int)
"""A share in hundredths of a percent, 0 to 10,000: whole numbers, so that every language agrees on them."""

WHOLE = BasisPoints(10_000)
_first_8_bytes = struct.Struct(">Q").unpack_from  # the fastest way to read them
_BUCKETS = 1 << 64
_PERCENTAGE = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?%?")


def bucket_of(salt: str, tenant: str) -> int:
    """The first 8 bytes, big-endian, of SHA-256(salt + NUL + tenant, UTF-8): a whole number below 2^64."""
    bucket: int
    (bucket,) = _first_8_bytes(sha256(f"{salt}\0{tenant}".encode()).digest())
    return bucket


def cohort_size(share: BasisPoints) -> int:
    """How many buckets a share has, from the lowest on: so a larger share holds all of a smaller one.

    It is rounded up: a bucket is one of them exactly where its fraction is below the share's.
    """
    return -(-share * _BUCKETS // WHOLE)


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
