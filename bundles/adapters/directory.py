"""A build system's output directory as a source of artifacts."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from bundles.core.errors import Failed, Invalid
from bundles.core.manifest import MAX_ARTIFACTS
from bundles.core.names import ArtifactPath, parse_artifact_path

MAX_ARTIFACT_BYTES = 64 * 1024 * 1024


class Directory:
    """The regular files below a directory. Everything is checked before anything is read.

    `include` narrows them to these files and folders, by paths relative to the directory. Raises `Invalid`
    for links that leave the directory, for what is no regular file and for names that can't be a URL's path.
    """

    def __init__(self, root: Path, include: Sequence[str] = ()) -> None:
        if not root.is_dir():
            raise Invalid(f"{root} is not a directory: name the folder that your build system wrote")
        self._root = root.resolve()
        self._files = self._included(dict(sorted(self._scan(root))), include)
        if not self._files:
            raise Invalid(f"{root} has no files: a build has at least one artifact")
        _refuse_case_collisions(self._files)

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
            raise Invalid(_too_large(path))
        return data

    def _scan(self, root: Path) -> Iterator[tuple[ArtifactPath, Path]]:
        count = 0
        for folder, folders, files in os.walk(self._root, onerror=_unreadable):
            for name in folders:
                if (Path(folder) / name).is_symlink():
                    raise Invalid(f"{Path(folder) / name} is a link to a folder: publish the folder itself")
            for name in files:
                count += 1
                if count > MAX_ARTIFACTS:
                    raise Invalid(f"{root} has more than {MAX_ARTIFACTS} files, the most a build may have")
                file = Path(folder) / name
                path = parse_artifact_path(file.relative_to(self._root).as_posix())
                yield path, self._checked(path, file)

    def _checked(self, path: ArtifactPath, file: Path) -> Path:
        try:
            target = file.resolve(strict=True)
            status = target.stat()
        except OSError as error:
            raise Invalid(f"{path!r} can't be read: {error.strerror}") from None
        except RuntimeError:  # what Python before 3.13 raises for it
            raise Invalid(f"{path!r} can't be read: it is a link to itself") from None
        if not target.is_relative_to(self._root):
            raise Invalid(
                f"{path!r} is a link out of the directory, to {target}: only what is inside is published"
            )
        if not stat.S_ISREG(status.st_mode):
            raise Invalid(f"{path!r} is no regular file: a build holds files only")
        if status.st_size > MAX_ARTIFACT_BYTES:
            raise Invalid(_too_large(path))
        return target

    @staticmethod
    def _included(files: dict[ArtifactPath, Path], include: Sequence[str]) -> dict[ArtifactPath, Path]:
        if not include:
            return files
        wanted = [parse_artifact_path(text.rstrip("/") or text) for text in include]
        for name in wanted:
            if not any(path == name or path.startswith(f"{name}/") for path in files):
                raise Invalid(f"--include {name}: the directory has no such file or folder")
        return {
            path: file
            for path, file in files.items()
            if any(path == name or path.startswith(f"{name}/") for name in wanted)
        }


def _refuse_case_collisions(paths: Sequence[ArtifactPath] | dict[ArtifactPath, Path]) -> None:
    """Two names that differ by case alone become one file on some customers' disks and mirrors."""
    seen: dict[str, ArtifactPath] = {}
    for path in paths:
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            raise Invalid(f"{other!r} and {path!r} differ by case alone: rename one")


def _unreadable(error: OSError) -> None:
    raise Failed(f"can't read the folder {error.filename}: {error.strerror}")


def _too_large(path: ArtifactPath) -> str:
    return f"{path!r} is larger than {MAX_ARTIFACT_BYTES} bytes, the most an artifact may have"
