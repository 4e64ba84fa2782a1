"""Signing keys as PEM files: the private one for who publishes and releases, the public ones for who serves.

signing.pem         the private Ed25519 key (PKCS #8), readable by its owner alone
trusted/{keyid}.pem a public key whose signatures are believed
"""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bundles.adapters.files import create_exclusively
from bundles.core.envelope import TrustedKeys, key_id_of
from bundles.core.errors import Failed

_PEM = serialization.Encoding.PEM


class KeyFiles:
    """The keys below one folder."""

    def __init__(self, folder: Path) -> None:
        self._private = folder / "signing.pem"
        self._trusted = folder / "trusted"

    def signing_key(self) -> Ed25519PrivateKey:
        """The private key; made at its first use, where the folder has no keys at all."""
        if not self._private.exists() and not self.trusted_keys():
            create_exclusively(self._private, _private_pem(Ed25519PrivateKey.generate()), mode=0o600)
        key = _load_private(self._private)
        public = self._trusted / f"{key_id_of(key.public_key())}.pem"
        if not public.exists():
            create_exclusively(public, _public_pem(key.public_key()))
        return key

    def trusted_keys(self) -> TrustedKeys:
        """The public keys by key id; empty where there are none yet."""
        keys = [_load_public(path) for path in sorted(self._trusted.glob("*.pem"))]
        return {key_id_of(key): key for key in keys}


def _load_private(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise Failed(f"can't read the signing key {path}: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Failed(f"{path} is no private key in PEM: restore it from your backup") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Failed(f"{path} is no Ed25519 key")
    return key


def _load_public(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise Failed(f"can't read the public key {path}: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Failed(f"{path} is no public key in PEM: restore it from your backup") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Failed(f"{path} is no Ed25519 key")
    return key


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
