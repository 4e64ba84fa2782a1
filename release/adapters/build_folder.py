"""A build's files on disk, as they were published, for who can't ask an origin for them."""

from pathlib import Path

import anyio

from bundles.core.errors import Failed
from bundles.core.manifest import Artifact, Manifest
from bundles.deltas import read_whole
from bundles.ports import BuildReader


async def write_build(builds: BuildReader, manifest: Manifest, folder: Path) -> None:
    """Put each file at its path below the folder, once its bytes have the manifest's digest."""
    for artifact in manifest.artifacts:
        await write_artifact(builds, artifact, folder / artifact.path)


async def write_artifact(builds: BuildReader, artifact: Artifact, file: Path) -> None:
    """Put a file in place, with the folders that it is in."""
    data = await read_whole(builds, artifact.digest)
    if data is None:
        raise Failed(f"{artifact.path} is missing in the store or damaged: `headrace verify` says more")
    await anyio.to_thread.run_sync(_write, file, data)


def _write(file: Path, data: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    except OSError as error:
        raise Failed(f"can't write {file}: {error.strerror}") from None
