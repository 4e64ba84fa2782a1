"""Whose signatures are believed, and for what.

A trusted key is the vendor's, which may sign anything, or a tenant's, whose signatures are believed for builds of
that tenant's own products (`@tenant/…`) alone: never for an SDK, another tenant's product or the routing table.
"""

import hashlib
from collections.abc import Iterator
from typing import Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bundles.core.errors import Refused
from bundles.core.names import Product, Scope, scope_of


class TrustedKey(msgspec.Struct, frozen=True):
    """A public key: a tenant's, by its scope, or without one the vendor's."""

    public: Ed25519PublicKey
    scope: Scope | None = None

    @property
    def key_id(self) -> str:
        """The key's id."""
        return key_id_of(self.public)


class TrustedKeys(Protocol):
    """The public keys that documents are accepted from."""

    def find(self, key_id: str, product: Product | None) -> Ed25519PublicKey | None:
        """The key of this id if it may sign the product's builds; with None, if it may sign what is no build.

        The id is as a stranger wrote it. None where no such key is trusted for that.
        """
        ...

    def __iter__(self) -> Iterator[TrustedKey]:
        """Each key, once for each of its scopes."""
        ...


class KeyRing:
    """Trusted keys in memory."""

    def __init__(self, *keys: TrustedKey) -> None:
        self._keys = {(key.key_id, key.scope): key for key in keys}

    def find(self, key_id: str, product: Product | None) -> Ed25519PublicKey | None:
        """The key of this id if it may sign the product's builds."""
        found = (self._keys.get((key_id, scope)) for scope in scopes_for(product))
        return next((key.public for key in found if key is not None), None)

    def __iter__(self) -> Iterator[TrustedKey]:
        """Each key, once for each of its scopes."""
        return iter(self._keys.values())


def key_id_of(key: Ed25519PublicKey) -> str:
    """Lower-case hex of the SHA-256 of the raw 32-byte public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def scopes_for(product: Product | None) -> tuple[Scope | None, ...]:
    """The scopes whose keys may sign the product's builds, the vendor's first; with None, what is no build."""
    scope = None if product is None else scope_of(product)
    return (None,) if scope is None else (None, scope)


def check_signer(key: Ed25519PrivateKey, trusted: TrustedKeys, product: Product | None) -> None:
    """Raises `Refused` where what this key would sign is not going to be believed."""
    key_id = key_id_of(key.public_key())
    if trusted.find(key_id, product) is not None:
        return
    what = "the routing table" if product is None else product
    scopes = [trusted_key.scope for trusted_key in trusted if trusted_key.key_id == key_id]
    if scopes:
        raise Refused(
            f"the key {key_id} may not sign {what}: it is trusted for products of"
            f" {' and '.join(filter(None, scopes))} alone; sign with a key that is trusted for it"
        )
    raise Refused(
        f"the key {key_id} may not sign {what}: it is not trusted here;"
        " `headrace keys trust` its public key first, a tenant's with --scope"
    )
