"""Digests: what names a variant's bytes."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Iterable
from typing import NewType

from bundles.core.errors import Invalid

Digest = NewType("Digest", str)
"""Lower-case hex of the SHA-256 of the bytes it names."""

_HEX = re.compile(r"[0-9a-f]{64}")


def digest_of(data: bytes | bytearray) -> Digest:
    """The digest of these bytes."""
    return Digest(hashlib.sha256(data).hexdigest())


async def digest_of_all(chunks: AsyncIterator[bytes]) -> Digest:
    """The digest of all the chunks' bytes together."""
    digest = hashlib.sha256()
    async for chunk in chunks:
        digest.update(chunk)
    return Digest(digest.hexdigest())


def parse_digest(text: str) -> Digest:
    """Refuses anything but 64 lower-case hex digits: a digest becomes a file's name."""
    if not _HEX.fullmatch(text):
        raise Invalid(f"{text!r} is not a SHA-256 digest in lower-case hex")
    return Digest(text)


def are_digests(texts: Iterable[str]) -> list[Digest]:
    """Those of the texts that are digests."""
    return [Digest(text) for text in texts if _HEX.fullmatch(text)]


def integrity_of(data: bytes) -> str:
    """The value of an `integrity` attribute for the decoded file (W3C Subresource Integrity, SHA-384)."""
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def repr_digest(digest: Digest) -> str:
    """The value of `Repr-Digest` (RFC 9530, section 3) for the bytes that the digest names."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:"
