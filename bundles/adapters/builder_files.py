"""The builders that are trusted, as files: keys apart from those that sign builds, and Sigstore identities.

builders/{keyid}.pem      a builder's public key
builders/identities.json  the repositories whose workflows are believed, and who vouches for each
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from bundles.adapters.files import create_exclusively, remove, write_atomically
from bundles.core.builders import BuilderKey, Identity, builder_key_id, checked_builder_key
from bundles.core.errors import Failed, Invalid


class BuilderFiles:
    """The builders below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._identities = folder / "identities.json"

    def trusted_keys(self) -> Mapping[str, BuilderKey]:
        """The builders' public keys by key id."""
        keys = [_load(path) for path in sorted(self._folder.glob("*.pem"))]
        return {builder_key_id(key): key for key in keys}

    def identities(self) -> tuple[Identity, ...]:
        """The Sigstore identities, sorted by repository."""
        try:
            return msgspec.json.decode(self._identities.read_bytes(), type=tuple[Identity, ...])
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise Failed(f"can't read {self._identities}: {error.strerror}") from None
        except ValueError as error:
            raise Failed(f"{self._identities} is damaged: {error}") from None

    def trust_key(self, file: Path) -> None:
        """Believe attestations that this public key in PEM signed."""
        key = _load(file)
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        create_exclusively(self._folder / f"{builder_key_id(key)}.pem", pem)

    def trust_identity(self, identity: Identity) -> None:
        """Believe attestations that this identity signed."""
        self._write({*self.identities(), identity})

    def distrust(self, name: str) -> None:
        """Believe a key, by its id, or a repository no longer. Raises `Invalid` where it is not trusted."""
        remaining = {identity for identity in self.identities() if identity.repository != name}
        if name in self.trusted_keys():
            remove(self._folder / f"{name}.pem")
        elif len(remaining) < len(self.identities()):
            self._write(remaining)
        else:
            raise Invalid(
                f"no trusted builder has the key id or repository {name!r}: see `headrace builders list`"
            )

    def _write(self, identities: set[Identity]) -> None:
        ordered = sorted(identities, key=lambda identity: (identity.repository, identity.issuer))
        write_atomically(self._identities, msgspec.json.encode(ordered))


def _load(path: Path) -> BuilderKey:
    try:
        return checked_builder_key(serialization.load_pem_public_key(path.read_bytes()), str(path))
    except OSError as error:
        raise Failed(f"can't read the public key {path}: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        if isinstance(error, Invalid):
            raise
        raise Invalid(f"{path} is no public key in PEM") from None
