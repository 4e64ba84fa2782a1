"""Finds the places in a build's sources that frames of its published files come from, by its source maps."""

from collections.abc import Iterable, Mapping

import anyio.to_thread

from beacons.core.beacon import Frame
from beacons.core.sources import Place, Unknown
from beacons.ports import OpenSourceMap, SourceMap
from bundles.core.content_type import source_map_of
from bundles.core.errors import Failed, Invalid
from bundles.core.manifest import Artifact, Manifest
from bundles.core.names import ArtifactPath
from bundles.deltas import read_whole
from bundles.ports import BuildReader

MAX_BYTES = 16 * 1024 * 1024
"""The most of a script, and of its source map: opened, that takes some hundred megabytes of memory."""

_NO_SUCH_FILE = Unknown("the build has no such file")
_NO_MAP = Unknown("no source map was published with the build (`headrace publish --source-maps`)")
_TOO_LARGE = Unknown(f"the file or its source map has more than {MAX_BYTES} bytes")
_DAMAGED = Unknown("the file or its source map is missing in the store, or damaged: `headrace verify` says which")
_NOT_IN_MAP = Unknown("the source map knows no such place")


async def trace(
    frames: Iterable[Frame], manifest: Manifest, store: BuildReader, opening: OpenSourceMap
) -> Mapping[Frame, Place | Unknown]:
    """Where each of the frames is in the sources, or why that is not known. Of the maps one is open at a time."""
    by_path: dict[ArtifactPath, set[Frame]] = {}
    for frame in frames:
        by_path.setdefault(frame.path, set()).add(frame)
    artifacts = {artifact.path: artifact for artifact in manifest.artifacts}
    found: dict[Frame, Place | Unknown] = {}
    for path, there in by_path.items():
        opened = await _opened(artifacts, path, store, opening)
        for frame in there:
            found[frame] = opened if isinstance(opened, Unknown) else opened.place(frame) or _NOT_IN_MAP
    return found


async def _opened(
    artifacts: Mapping[ArtifactPath, Artifact], path: ArtifactPath, store: BuildReader, opening: OpenSourceMap
) -> SourceMap | Unknown:
    script, source_map = artifacts.get(path), artifacts.get(source_map_of(path))
    if script is None:
        return _NO_SUCH_FILE
    if source_map is None:
        return _NO_MAP
    if max(each.variants[0].size for each in (script, source_map)) > MAX_BYTES:
        return _TOO_LARGE
    try:
        script_bytes = await read_whole(store, script.digest)
        map_bytes = await read_whole(store, source_map.digest)
        if script_bytes is None or map_bytes is None:
            return _DAMAGED
        return await anyio.to_thread.run_sync(opening, script_bytes, map_bytes)  # it takes seconds
    except (Failed, Invalid) as error:
        return Unknown(str(error))
