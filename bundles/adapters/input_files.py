"""Files that a build was made of, and documents about it: only looked at, never published."""

import hashlib
from pathlib import Path

from bundles.core.digest import Digest
from bundles.core.errors import Failed, Invalid
from bundles.core.provenance import MAX_ATTESTATION_BYTES, Input

_CHUNK_BYTES = 1024 * 1024


def read_input(path: Path) -> Input:
    """A file's name and digests, of whatever size it is. Raises `Invalid` for what is no file."""
    if not path.is_file():
        raise Invalid(f"{path} is not a file: name one that the build was made of")
    sha256, sha512 = hashlib.sha256(), hashlib.sha512()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                sha256.update(chunk)
                sha512.update(chunk)
    except OSError as error:
        raise Failed(f"can't read {path}: {error.strerror}") from None
    return Input(name=path.name, digest=Digest(sha256.hexdigest()), sha512=sha512.hexdigest())


def read_document(path: Path) -> bytes:
    """What attests a build: a file's bytes, and no more of them than show that it is too large."""
    if not path.is_file():
        raise Invalid(f"{path} is not a file: name one that holds an attestation")
    try:
        with path.open("rb") as file:
            return file.read(MAX_ATTESTATION_BYTES + 1)
    except OSError as error:
        raise Failed(f"can't read {path}: {error.strerror}") from None
