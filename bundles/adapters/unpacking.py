"""Unpacking without trust: an archive's names never become paths on this disk, and its sizes are counted."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from bundles.adapters.source_files import MAX_BUILD_BYTES, too_large
from bundles.core.errors import Failed, Invalid
from bundles.core.manifest import MAX_ARTIFACT_BYTES, MAX_ARTIFACTS
from bundles.core.names import ArtifactPath, parse_artifact_path

_CHUNK_BYTES = 1024 * 1024


class Unpacked:
    """The members of one archive so far, as files of a private folder that are named by number."""

    def __init__(self, archive: str, folder: Path) -> None:
        self._archive = archive
        self._folder = folder
        self._files: dict[ArtifactPath, Path] = {}
        self._members = 0
        self._bytes = 0

    @property
    def files(self) -> Mapping[ArtifactPath, Path]:
        """The files by their paths in the archive."""
        return self._files

    def count(self, name: str) -> ArtifactPath:
        """Note a member, a file or a folder. Its checked path; raises `Invalid` for a bad one, or one too many."""
        self._members += 1
        if self._members > MAX_ARTIFACTS:
            raise Invalid(f"{self._archive} has more than {MAX_ARTIFACTS} members, the most that is unpacked")
        return parse_artifact_path(name)

    def add(self, path: ArtifactPath, body: BinaryIO) -> None:
        """Unpack a file. Raises `Invalid` for a second one of its path, and above the limits, by bytes found."""
        if path in self._files:
            raise Invalid(f"{self._archive} has {path!r} twice")
        target = self._folder / str(len(self._files))
        size = 0
        try:
            with target.open("xb") as file:
                while chunk := body.read(_CHUNK_BYTES):
                    size += len(chunk)
                    self._bytes += len(chunk)
                    if size > MAX_ARTIFACT_BYTES:
                        raise Invalid(too_large(path))
                    if self._bytes > MAX_BUILD_BYTES:
                        raise Invalid(
                            f"{self._archive} unpacks to more than {MAX_BUILD_BYTES} bytes,"
                            " the most that a build may have"
                        )
                    file.write(chunk)
        except OSError as error:
            raise Failed(f"can't unpack {self._archive}: {error.strerror or error}") from None
        self._files[path] = target
