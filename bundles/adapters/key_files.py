"""Signing keys as PEM files: the private one for who publishes and releases, the public ones for who serves.

signing.pem         the private Ed25519 key (PKCS #8), readable by its owner alone
trusted/{keyid}.pem a public key whose signatures are believed
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bundles.adapters.files import create_exclusively, remove, write_atomically
from bundles.core.envelope import TrustedKeys, key_id_of
from bundles.core.errors import Failed, Invalid, Refused

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
        self._trust(key.public_key())
        return key

    def trusted_keys(self) -> TrustedKeys:
        """The public keys by key id, as they are whenever one is looked up; empty where there are none yet."""
        return _TrustedFolder(self._trusted)

    def rotate(self) -> str:
        """Sign with a new key from now on; the old one stays trusted beside it. The new key's id.

        The new public key is put in place first: at no moment is there a signature that nobody trusts.
        """
        self.signing_key()
        key = Ed25519PrivateKey.generate()
        self._trust(key.public_key())
        write_atomically(self._private, _private_pem(key), mode=0o600)
        return key_id_of(key.public_key())

    def trust(self, file: Path) -> str:
        """Believe signatures of the public key in this PEM file. Its id."""
        return self._trust(_load_public(file))

    def distrust(self, key_id: str) -> None:
        """Believe signatures of this key no longer. Raises `Refused` for the key that signs now."""
        if key_id not in self.trusted_keys():
            raise Invalid(f"no trusted key has the id {key_id!r}: see `headrace keys list`")
        if self._private.exists() and key_id == key_id_of(_load_private(self._private).public_key()):
            raise Refused(f"{key_id} is the key that signs now: rotate first")
        remove(self._public_file(key_id))

    def signing_key_id(self) -> str | None:
        """The id of the key that signs now; None where this folder has public keys only."""
        if not self._private.exists():
            return None
        return key_id_of(_load_private(self._private).public_key())

    def _trust(self, key: Ed25519PublicKey) -> str:
        key_id = key_id_of(key)
        if key_id not in self.trusted_keys():
            create_exclusively(self._public_file(key_id), _public_pem(key))
        return key_id

    def _public_file(self, key_id: str) -> Path:
        return self._trusted / f"{key_id}.pem"


class _TrustedFolder(Mapping[str, Ed25519PublicKey]):
    """The public keys in a folder. A process that runs for months sees what is added and taken away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_at: int | None = None
        self._keys: dict[str, Ed25519PublicKey] = {}

    def __getitem__(self, key_id: str) -> Ed25519PublicKey:
        return self._current()[key_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._current())

    def __len__(self) -> int:
        return len(self._current())

    def _current(self) -> dict[str, Ed25519PublicKey]:
        try:
            changed_at = self._folder.stat().st_mtime_ns
        except OSError:
            return {}
        if changed_at != self._read_at:
            keys = [_load_public(path) for path in sorted(self._folder.glob("*.pem"))]
            self._keys = {key_id_of(key): key for key in keys}
            self._read_at = changed_at
        return self._keys


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
