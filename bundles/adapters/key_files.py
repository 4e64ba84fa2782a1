"""Signing keys as PEM files: the private one for who publishes and releases, the public ones for who serves.

signing.pem                  the private Ed25519 key (PKCS #8), readable by its owner alone
trusted/{keyid}.pem          a public key of the vendor's, whose signatures are believed for everything
trusted/@tenant/{keyid}.pem  a public key of a tenant's, believed for builds of its own products
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bundles.adapters.files import create_exclusively, remove, write_atomically
from bundles.core.errors import Failed, Invalid, Refused
from bundles.core.names import Product, Scope, parse_scope
from bundles.core.trust import TrustedKey, TrustedKeys, key_id_of, scopes_for

_PEM = serialization.Encoding.PEM
_KEY_ID = re.compile(r"[0-9a-f]{64}")


class KeyFiles:
    """The keys below one folder."""

    def __init__(self, folder: Path) -> None:
        self._private = folder / "signing.pem"
        self._trusted = _TrustedFolder(folder / "trusted")

    def signing_key(self) -> Ed25519PrivateKey:
        """The private key; made at its first use, where the folder has no keys at all."""
        if not self._private.exists() and not any(self._trusted):
            create_exclusively(self._private, _private_pem(Ed25519PrivateKey.generate()), mode=0o600)
        key = load_private_key(self._private)
        if not self._trusted.files(key_id_of(key.public_key())):
            self._trusted.add(key.public_key(), None)
        return key

    @property
    def signing_key_file(self) -> Path | None:
        """Where the private key is; None where there is none."""
        return self._private if self._private.exists() else None

    def trusted_keys(self) -> TrustedKeys:
        """The public keys as they are whenever one is looked up."""
        return self._trusted

    def rotate(self) -> str:
        """Sign with a new key from now on; the old one stays trusted beside it. The new key's id.

        The new public key is put in place first: at no moment is there a signature that nobody trusts.
        """
        self.signing_key()
        key = Ed25519PrivateKey.generate()
        self._trusted.add(key.public_key(), None)
        write_atomically(self._private, _private_pem(key), mode=0o600)
        return key_id_of(key.public_key())

    def trust(self, file: Path, scope: Scope | None = None) -> str:
        """Believe the public key in this PEM file, for everything or for a tenant's products alone. Its id.

        Raises `Refused` where it is trusted otherwise already: a scope would narrow nothing, and no word left out
        may make a tenant's key good for everything.
        """
        key = _load_public(file)
        key_id = key_id_of(key)
        if scope is not None and self._trusted.find(key_id, None) is not None:
            raise Refused(
                f"{key_id} is trusted for everything already: `headrace keys distrust` it first,"
                f" to trust it for {scope} alone"
            )
        if scope is None and self._trusted.find(key_id, None) is None and self._trusted.files(key_id):
            raise Refused(
                f"{key_id} is a tenant's key: `headrace keys distrust` it first, to trust it for everything"
            )
        self._trusted.add(key, scope)
        return key_id

    def check_distrust(self, key_id: str) -> None:
        """Raises `Refused` for the key that signs now, `Invalid` for one that is not trusted."""
        if not self._trusted.files(key_id):
            raise Invalid(f"no trusted key has the id {key_id!r}: see `headrace keys list`")
        if key_id == self.signing_key_id():
            raise Refused(f"{key_id} is the key that signs now: rotate first")

    def distrust(self, key_id: str) -> None:
        """Believe signatures of this key no longer. Raises as `check_distrust` does."""
        self.check_distrust(key_id)
        for file in self._trusted.files(key_id):
            remove(file)

    def signing_key_id(self) -> str | None:
        """The id of the key that signs now; None where this folder has public keys only."""
        if not self._private.exists():
            return None
        return key_id_of(load_private_key(self._private).public_key())


class _TrustedFolder:
    """The public keys in a folder, read at each look: a process that runs for months sees what comes and goes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key_id: str, product: Product | None) -> Ed25519PublicKey | None:
        """The key of this id if it may sign the product's builds."""
        if not _KEY_ID.fullmatch(key_id):
            return None
        for scope in scopes_for(product):
            file = self._file(key_id, scope)
            if _is_there(file):
                return _load_named(file)
        return None

    def __iter__(self) -> Iterator[TrustedKey]:
        """Each key, once for each of its scopes, the vendor's first. Raises `Failed` for what can't be read."""
        for file in self._files():
            scope = None if file.parent == self._folder else parse_scope(file.parent.name)
            yield TrustedKey(_load_named(file), scope)

    def add(self, key: Ed25519PublicKey, scope: Scope | None) -> None:
        """Trust a key; harmless where it is trusted so already."""
        create_exclusively(self._file(key_id_of(key), scope), _public_pem(key))

    def files(self, key_id: str) -> list[Path]:
        """A key's files, one for each of its scopes."""
        return [file for file in self._files() if _KEY_ID.fullmatch(key_id) and file.stem == key_id]

    def _files(self) -> Iterator[Path]:
        found = _listed(self._folder)
        scoped = (file for folder in found if folder.name.startswith("@") for file in _listed(folder))
        return (file for file in (*found, *scoped) if file.suffix == ".pem")

    def _file(self, key_id: str, scope: Scope | None) -> Path:
        return (self._folder if scope is None else self._folder / scope) / f"{key_id}.pem"


def create_key_pair(file: Path) -> tuple[str, Path]:
    """Make a private key in this file, and its public key beside it, in a `.pub` file. Its id, and the latter.

    Raises `Refused` where one of the files is there already: a key is never written over. Raises `Invalid` for a
    folder.
    """
    if not file.name or file.is_dir():
        raise Invalid(f"{file} is a folder: name the file that the key is to be in, as in acme.pem")
    key = Ed25519PrivateKey.generate()
    public_file = file.with_name(f"{file.name}.pub")
    if public_file.exists() or not create_exclusively(file, _private_pem(key), mode=0o600):
        raise Refused(f"{file} or {public_file} is there already: a key is never written over, name another file")
    create_exclusively(public_file, _public_pem(key.public_key()))
    return key_id_of(key.public_key()), public_file


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file. Raises `Refused` where others than its owner can read it."""
    pem = read_private(path, "the signing key")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Failed(f"{path} is no private key in PEM: restore it from your backup") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Failed(f"{path} is no Ed25519 key")
    return key


def read_private(path: Path, name: str) -> bytes:
    """A secret in a file; `name` says what it is. Raises `Refused` where others than its owner can read it."""
    try:
        with path.open("rb") as file:
            _refuse_if_shared(path, name, os.fstat(file.fileno()))
            return file.read()
    except OSError as error:
        raise Failed(f"can't read {name} {path}: {error.strerror}") from None


def _refuse_if_shared(path: Path, name: str, status: os.stat_result) -> None:
    """A secret that another user owns may be given to a group, as container platforms mount them; never to all."""
    shared = stat.S_IRWXO if status.st_uid != os.geteuid() else stat.S_IRWXO | stat.S_IRWXG
    if status.st_mode & shared:
        raise Refused(
            f"{name} {path} can be read by others (mode {stat.S_IMODE(status.st_mode):04o}):"
            " `chmod 600` it, and rotate it if they might have read it"
        )


def _listed(folder: Path) -> list[Path]:
    """What is in a folder, sorted; nothing where there is none. Keys that can't be seen are not taken for none."""
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Failed(f"can't read {folder}: {error.strerror}") from None


def _is_there(file: Path) -> bool:
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise Failed(f"can't read the public key {file}: {error.strerror}") from None
    return True


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


def _load_named(path: Path) -> Ed25519PublicKey:
    key = _load_public(path)
    if path.stem != key_id_of(key):
        raise Failed(f"{path} is not named by its key's id: move it away, and `headrace keys trust` it from there")
    return key


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
