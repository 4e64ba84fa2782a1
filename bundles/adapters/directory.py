"""A build system's output directory as a source of artifacts."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from bundles.adapters.source_files import SourceFiles, too_large
from bundles.core.errors import Failed, Invalid
from bundles.core.manifest import MAX_ARTIFACT_BYTES, MAX_ARTIFACTS
from bundles.core.names import ArtifactPath, parse_artifact_path


def directory(root: Path, include: Sequence[str] = ()) -> SourceFiles:
    """The regular files below a directory. Everything is checked before anything is read.

    `include` narrows them to these files and folders, by paths relative to the directory. Raises `Invalid`
    for links that leave the directory, for what is no regular file and for names that can't be a URL's path.
    """
    if not root.is_dir():
        raise Invalid(f"{root} is not a directory: name the folder that your build system wrote")
    return SourceFiles(str(root), dict(_scan(root, root.resolve())), include)


def _scan(name: Path, root: Path) -> Iterator[tuple[ArtifactPath, Path]]:
    count = 0
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        for entry in folders:
            if (Path(folder) / entry).is_symlink():
                raise Invalid(f"{Path(folder) / entry} is a link to a folder: publish the folder itself")
        for entry in files:
            count += 1
            if count > MAX_ARTIFACTS:
                raise Invalid(f"{name} has more than {MAX_ARTIFACTS} files, the most a build may have")
            file = Path(folder) / entry
            path = parse_artifact_path(file.relative_to(root).as_posix())
            yield path, _checked(root, path, file)


def _checked(root: Path, path: ArtifactPath, file: Path) -> Path:
    try:
        target = file.resolve(strict=True)
        status = target.stat()
    except OSError as error:
        raise Invalid(f"{path!r} can't be read: {error.strerror}") from None
    except RuntimeError:  # what Python before 3.13 raises for it
        raise Invalid(f"{path!r} can't be read: it is a link to itself") from None
    if not target.is_relative_to(root):
        raise Invalid(f"{path!r} is a link out of the directory, to {target}: only what is inside is published")
    if not stat.S_ISREG(status.st_mode):
        raise Invalid(f"{path!r} is no regular file: a build holds files only")
    if status.st_size > MAX_ARTIFACT_BYTES:
        raise Invalid(too_large(path))
    return target


def _unreadable(error: OSError) -> None:
    raise Failed(f"can't read the folder {error.filename}: {error.strerror}")
