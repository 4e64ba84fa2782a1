"""The secret by which the edge shows that it is the edge, so that nobody goes round it."""

import hmac
import re
from collections.abc import Iterable

from bundles.core.errors import Invalid

SECRET_HEADER = b"x-edge-secret"
MAX_SECRETS = 2

_SECRET = re.compile(rb"[!-~]{32,256}")


def parse_secrets(text: bytes) -> tuple[bytes, ...]:
    """The secrets of a file that has one a line: one, or the old and the new one while the edge changes over.

    What is wrong is said without a word of the file: it goes into logs.
    """
    secrets = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not 1 <= len(secrets) <= MAX_SECRETS:
        raise Invalid(f"it has {len(secrets)} secrets: write one a line, at most {MAX_SECRETS}")
    if not all(_SECRET.fullmatch(secret) for secret in secrets):
        raise Invalid("a secret is 32 to 256 printable ASCII characters without spaces")
    return secrets


def is_edge(headers: Iterable[tuple[bytes, bytes]], secrets: tuple[bytes, ...]) -> bool:
    """True where a header holds one of the secrets. How long that takes tells nothing about them."""
    found = False
    for name, value in headers:
        if name == SECRET_HEADER:
            for secret in secrets:
                found |= hmac.compare_digest(value, secret)
    return found
