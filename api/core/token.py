"""Secrets that say who asks: the tokens of pipelines and people, and the sessions of who has logged in.

A secret is a prefix that scanners know, 30 characters of chance, and six of checksum: the CRC-32 of the 30, in
base62 with leading zeros, as in GitHub's tokens. So a scanner can tell one from what only looks like it, offline.
Only its SHA-256 is kept.
"""

import re
import zlib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NewType

import msgspec

from api.core.access import Grant
from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Invalid

TokenId = NewType("TokenId", str)
"""The first 16 hex digits of the secret's digest: it names a token to people, and lets nobody in."""

DAY = 24 * 3600
LONGEST_SECONDS = 400 * DAY
"""No token is valid for longer."""
LONGEST_OVERLAP_SECONDS = 30 * DAY
ENTROPY_BYTES = 32

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHANCE, _CHECKSUM = 30, 6
_SECRET = re.compile(rf"(hd[rs]_)([0-9A-Za-z]{{{_CHANCE}}})([0-9A-Za-z]{{{_CHECKSUM}}})")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_ID = re.compile(r"[0-9a-f]{16}")


class Prefix(StrEnum):
    """What a secret begins with, and what it is."""

    TOKEN = "hdr_"  # noqa: S105 - no secret
    SESSION = "hds_"


class Token(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A token as it is kept. Times are in seconds since the epoch.

    One that was replaced by another goes on until `replaced_until`, so that who uses it has the time to change.
    `owner` is who it is for, by the name that the audit trail has for them; empty in those by a Headrace that did
    not ask, which are for who made them.
    """

    digest: Digest
    name: str
    grant: Grant
    created_at: int
    created_by: str
    expires_at: int
    owner: str = ""
    replaced_until: int | None = None

    def __post_init__(self) -> None:
        if not self.created_at < self.expires_at <= self.created_at + LONGEST_SECONDS:
            raise Invalid(f"a token is valid for at least a second and at most {LONGEST_SECONDS // DAY} days")

    @property
    def caller(self) -> str:
        """The name of who asks with it, for the audit trail."""
        return f"token:{self.name}"

    @property
    def is_for(self) -> str:
        """Who asks with it: its owner, or who made it."""
        return self.owner or self.created_by

    @property
    def ends_at(self) -> int:
        """From when on it is valid no more."""
        return self.expires_at if self.replaced_until is None else min(self.expires_at, self.replaced_until)

    def is_valid(self, now: int) -> bool:
        """True while it lets its holder in."""
        return now < self.ends_at


class Issued(msgspec.Struct, frozen=True):
    """A token that was made. `secret` is None where the request was made before: it was told then, not kept."""

    id: TokenId
    token: Token
    secret: str | None


def make_secret(prefix: Prefix, entropy: bytes) -> str:
    """A secret of these random bytes, 32 of them."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a secret is made of {ENTROPY_BYTES} bytes")
    # 62^30 is less than 2^179: that the first characters are a little likelier is beyond 2^-77.
    chance = _base62(int.from_bytes(entropy), _CHANCE)
    return f"{prefix}{chance}{_checksum(chance)}"


def prefix_of(text: str) -> Prefix | None:
    """What this is a secret of; None for what has not the form of one, or another checksum."""
    match = _SECRET.fullmatch(text)
    return Prefix(match[1]) if match is not None and _checksum(match[2]) == match[3] else None


def digest_of_secret(secret: str) -> Digest:
    """What is kept of a secret."""
    return digest_of(secret.encode())


def id_of(digest: Digest) -> TokenId:
    """What the token with this digest is named by."""
    return TokenId(digest[:16])


def owner_of(name: str, tokens: Iterable[Token]) -> str:
    """Who this caller is: the owner of a token, or the caller itself."""
    owned = [token for token in tokens if token.caller == name]
    return max(owned, key=lambda token: token.created_at).is_for if owned else name


def same_callers(name: str, tokens: Sequence[Token]) -> frozenset[str]:
    """The callers that count as this one where two people are needed.

    A token is its owner, and so are all of that owner's tokens. Who makes a token has seen its secret, and may be
    who asks with it, as may who has made the maker's, and so on. Two tokens of different owners by one maker are
    two: else one admin could not equip two people.
    """
    owned = [(token.caller, token.is_for) for token in tokens]
    made = [*owned, *((token.caller, token.created_by) for token in tokens)]
    person, may_be = _reached({name}, owned), _reached({name}, made)
    return _reached(may_be, _backwards(owned)) | _reached(person, _backwards(made))


def _reached(names: Iterable[str], steps: Sequence[tuple[str, str]]) -> frozenset[str]:
    found = frozenset(names)
    while more := frozenset(after for before, after in steps if before in found) - found:
        found |= more
    return found


def _backwards(steps: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    return [(after, before) for before, after in steps]


def parse_token_id(text: str) -> TokenId:
    """A token's id as `headrace token list` shows it."""
    if not _ID.fullmatch(text):
        raise Invalid(f"{text!r} is no token's id: that is 16 of 0-9 and a-f, as `headrace token list` shows it")
    return TokenId(text)


def parse_token_name(text: str) -> str:
    """What people call a token."""
    if not _NAME.fullmatch(text):
        raise Invalid(
            f"{text!r} is no token's name: use 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning and ending with a"
            " letter or digit"
        )
    return text


def _checksum(chance: str) -> str:
    return _base62(zlib.crc32(chance.encode()), _CHECKSUM)


def _base62(number: int, digits: int) -> str:
    """The last digits of a number in base62, the first one first."""
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text
