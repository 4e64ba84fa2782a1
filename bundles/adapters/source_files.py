"""The checked files of a build, on the local disk: what every kind of input becomes."""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from bundles.core.errors import Failed, Invalid
from bundles.core.manifest import MAX_ARTIFACT_BYTES
from bundles.core.names import ArtifactPath, parse_artifact_path

MAX_BUILD_BYTES = 1024 * 1024 * 1024


class SourceFiles:
    """Regular files by artifact path. `name` is what the user calls the whole of them.

    `include` narrows them to these files and folders. Raises `Invalid` where nothing is left, where a build
    would be too large, and for paths that some customers' disks or mirrors can't hold side by side.
    """

    def __init__(self, name: str, files: Mapping[ArtifactPath, Path], include: Sequence[str] = ()) -> None:
        self._files = _included(dict(sorted(files.items())), include)
        if not self._files:
            raise Invalid(f"{name} has no files: a build has at least one artifact")
        _refuse_collisions(self._files)
        total = sum(self.size(path) for path in self._files)
        if total > MAX_BUILD_BYTES:
            raise Invalid(f"{name} has {total} bytes; the most that a build may have is {MAX_BUILD_BYTES}")

    @property
    def paths(self) -> Sequence[ArtifactPath]:
        """Every artifact's path, sorted."""
        return tuple(self._files)

    def size(self, path: ArtifactPath) -> int:
        """The file's size in bytes."""
        file = self._files[path]
        try:
            return file.stat().st_size
        except OSError as error:
            raise Failed(f"can't read {file}: {error.strerror}") from None

    def read(self, path: ArtifactPath) -> bytes:
        """The artifact's bytes."""
        file = self._files[path]
        try:
            with file.open("rb") as opened:
                data = opened.read(MAX_ARTIFACT_BYTES + 1)
        except OSError as error:
            raise Failed(f"can't read {file}: {error.strerror}") from None
        if len(data) > MAX_ARTIFACT_BYTES:
            raise Invalid(too_large(path))
        return data


def too_large(path: str) -> str:
    """The message for a file above the limit."""
    return f"{path!r} is larger than {MAX_ARTIFACT_BYTES} bytes, the most an artifact may have"


def _included(files: dict[ArtifactPath, Path], include: Sequence[str]) -> dict[ArtifactPath, Path]:
    if not include:
        return files
    wanted = [parse_artifact_path(text.rstrip("/") or text) for text in include]
    for name in wanted:
        if not any(_is_at_or_below(path, name) for path in files):
            raise Invalid(f"--include {name}: there is no such file or folder")
    return {path: file for path, file in files.items() if any(_is_at_or_below(path, name) for name in wanted)}


def _is_at_or_below(path: str, name: str) -> bool:
    return path == name or path.startswith(f"{name}/")


def _refuse_collisions(paths: Mapping[ArtifactPath, Path]) -> None:
    """Two names that differ by case or by how an accent is written become one file on some disks and mirrors."""
    seen: dict[str, ArtifactPath] = {}
    for path in paths:
        other = seen.setdefault(_folded(path), path)
        if other != path:
            raise Invalid(f"{other!r} and {path!r} differ by case or by how a letter is encoded alone: rename one")
    for path in paths:
        folder, slash, _ = _folded(path).rpartition("/")
        while slash:
            if folder in seen:
                raise Invalid(f"{seen[folder]!r} is both a file and the folder of {path!r}")
            folder, slash, _ = folder.rpartition("/")


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
