"""Make and store a build's deltas against the builds that clients most probably hold."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice

import anyio
import anyio.to_thread
import msgspec

from bundles.core.budget import sent_size
from bundles.core.content_type import is_source_map
from bundles.core.delta import is_worth_keeping, make_delta
from bundles.core.digest import Digest, digest_of
from bundles.core.manifest import MAX_ARTIFACT_BYTES, Artifact, Delta, Manifest
from bundles.core.names import ArtifactPath
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.ports import ArtifactSource, BlobMissing, BuildReader, Store
from bundles.screen import changed
from bundles.variants import first_known


class _Pair(msgspec.Struct, frozen=True):
    """An artifact and the older one that is its dictionary."""

    artifact: Artifact
    base: Version
    dictionary: Digest


async def with_deltas(
    store: Store,
    source: ArtifactSource,
    cores: Cores,
    artifacts: Sequence[Artifact],
    bases: Sequence[Manifest],
    budget: int,
) -> tuple[Artifact, ...]:
    """The artifacts, with their deltas against the bases stored.

    The budget, in bytes, goes to the first base first and there to the largest artifacts; what does not fit in
    what is left of it is dropped, and so is what saves less than a fifth of br.
    """
    deltas: dict[ArtifactPath, list[Delta]] = {}
    left = budget
    async for pair, body in _bodies(store, source, cores, _pairs(artifacts, bases)):
        if len(body) > left or not is_worth_keeping(len(body), sent_size(pair.artifact)):
            continue
        left -= len(body)
        delta = Delta(base=pair.base, dictionary=pair.dictionary, digest=digest_of(body), size=len(body))
        await store.put_blob(delta.digest, body)
        deltas.setdefault(pair.artifact.path, []).append(delta)
    return tuple(
        msgspec.structs.replace(artifact, deltas=tuple(deltas.get(artifact.path, ()))) for artifact in artifacts
    )


async def read_whole(store: BuildReader, digest: Digest) -> bytes | None:
    """A blob whose bytes have its digest; None where it is missing or damaged, as a too large one is."""
    data = bytearray()
    try:
        async for chunk in store.read_blob(digest):
            data += chunk
            if len(data) > MAX_ARTIFACT_BYTES:
                return None
    except BlobMissing:
        return None
    return bytes(data) if digest_of(data) == digest else None


def _pairs(artifacts: Sequence[Artifact], bases: Sequence[Manifest]) -> Iterator[_Pair]:
    """Each artifact with each dictionary once. No page loads a source map: it needs no deltas."""
    seen: set[tuple[ArtifactPath, Digest]] = set()
    largest_first = sorted(artifacts, key=lambda artifact: artifact.variants[0].size, reverse=True)
    for base in bases:
        contents = base.contents()
        for artifact in largest_first:
            dictionary = contents.get(artifact.path)
            key = None if dictionary is None else (artifact.path, dictionary)
            if dictionary is None or key is None or key in seen or is_source_map(artifact.path):
                continue
            seen.add(key)
            yield _Pair(artifact, base.version, dictionary)


async def _bodies(
    store: Store, source: ArtifactSource, cores: Cores, pairs: Iterable[_Pair]
) -> AsyncIterator[tuple[_Pair, bytes]]:
    """The pairs' delta bodies in the pairs' order, so that the same build has the same deltas each time.

    A dictionary that the store has lost is passed over: an old build's damage must not stop a new one.
    """
    waiting = iter(pairs)
    while batch := list(islice(waiting, cores.count * 2)):
        made: dict[int, bytes] = {}

        async def make(number: int, pair: _Pair, made: dict[int, bytes] = made) -> None:
            dictionary = await read_whole(store, pair.dictionary)
            if dictionary:
                data = await anyio.to_thread.run_sync(source.read, pair.artifact.path)
                if digest_of(data) != pair.artifact.digest:
                    raise changed(pair.artifact.path)
                made[number] = await cores.run(make_delta, data, dictionary)

        try:
            async with anyio.create_task_group() as group:
                for number, pair in enumerate(batch):
                    group.start_soon(make, number, pair)
        except ExceptionGroup as faults:
            raise first_known(faults) from faults
        for number in sorted(made):
            yield batch[number], made[number]
