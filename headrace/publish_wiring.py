"""Joins publishing to its real parts: the files that a build is made of, and what makes it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from bundles.adapters.directory import directory
from bundles.adapters.input_files import read_document, read_input
from bundles.adapters.source_files import MAX_BUILD_BYTES, SourceFiles
from bundles.core.attestation import Attestation, parse_attestations
from bundles.core.errors import Invalid
from bundles.core.provenance import Input
from bundles.cores import Cores
from bundles.order import Publisher
from release.change import Control

if TYPE_CHECKING:
    from api.publish import Publishing


@contextmanager
def source(path: Path, include: Sequence[str] = ()) -> Iterator[SourceFiles]:
    """The artifacts in a build system's folder, or in an archive."""
    from bundles.adapters.archive import unpacked  # few verbs need it, and it is slow to load

    if path.is_dir():
        yield directory(path, include)
    elif path.is_file():
        with unpacked(path, include) as files:
            yield files
    else:
        raise Invalid(f"{path} is neither a folder nor an archive: name what your build system wrote")


def publishing(control: Control) -> "Publishing":
    """What builds are made of archives with, in the control plane's store and signed with its key."""
    from api.publish import AT_ONCE, Publishing  # few verbs need these, and they are slow to load
    from bundles.adapters.archive import unpacked

    publisher = Publisher(control.builds, control.signing_key, control.trusted, Cores())
    return Publishing(publisher, unpacked, read_input, MAX_BUILD_BYTES, anyio.CapacityLimiter(AT_ONCE))


def inputs(files: Iterable[Path]) -> tuple[Input, ...]:
    """Files that a build was made of, each once."""
    return tuple(dict.fromkeys(read_input(file) for file in files))


def attestations(files: Iterable[Path]) -> tuple[Attestation, ...]:
    """The attestations in these files, of which each may hold several."""
    return tuple(found for file in files for found in parse_attestations(read_document(file), str(file)))
