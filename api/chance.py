"""Secrets from the system's randomness."""

import secrets

from api.core.token import ENTROPY_BYTES, Prefix, make_secret


def new_secret(prefix: Prefix) -> str:
    """A secret that nobody has had, and nobody can guess."""
    return make_secret(prefix, secrets.token_bytes(ENTROPY_BYTES))
