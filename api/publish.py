"""What publishing through the API works with, and the order that a publish comes to."""

import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from api.core.limits import TooMany
from api.core.problems import TooLarge
from api.operations.publishing import PublishBuild
from bundles.core.budget import parse_budget
from bundles.core.errors import Failed, Invalid
from bundles.core.names import parse_artifact_path, parse_product
from bundles.core.provenance import Input, Provenance, Source, parse_builder, parse_repository
from bundles.core.size import parse_size
from bundles.core.version import parse_version
from bundles.order import Order, Publisher
from bundles.ports import ArtifactSource

AT_ONCE = 2
"""So many archives are received, unpacked and compressed at once: each may fill a gigabyte of disk."""
RECEIVE_SECONDS = 600
"""How long an archive may take to arrive."""


class Publishing(msgspec.Struct, frozen=True):
    """The real parts that publishing works with.

    `unpack` is given an archive and what to include of it, and `read_input` a file that a build is made of.
    `turns` says how many archives are worked on at once, and `most_bytes` is the most that one may have.
    """

    publisher: Publisher
    unpack: Callable[[Path, Sequence[str]], AbstractContextManager[ArtifactSource]]
    read_input: Callable[[Path], Input]
    most_bytes: int
    turns: anyio.CapacityLimiter


def order_of(asked: PublishBuild) -> Order:
    """The order, but for what the builds that clients hold add to it. Raises `Invalid`."""
    repository = None if asked.source_repository is None else parse_repository(asked.source_repository)
    return Order(
        parse_product(asked.product),
        parse_version(asked.version),
        delta_bytes=parse_size(asked.delta_budget),
        budgets=tuple(parse_budget(text) for text in asked.budget),
        source_maps=asked.source_maps,
        allowed_secrets=frozenset(parse_artifact_path(text) for text in asked.allow_secret),
        provenance=Provenance(
            source=Source(repository, asked.commit),
            builder=None if asked.builder is None else parse_builder(asked.builder),
        ),
    )


@asynccontextmanager
async def received(publishing: Publishing, chunks: AsyncIterable[bytes]) -> AsyncIterator[Path]:
    """The archive, in a file that is gone at the end; of it no more is in memory than a chunk.

    Raises `TooMany` where others are at work already, `TooLarge` as soon as it is, `Invalid` where it does not
    arrive in time, and `Failed` where there is no room for it.
    """
    try:
        publishing.turns.acquire_on_behalf_of_nowait(turn := object())
    except anyio.WouldBlock:
        raise TooMany(f"{AT_ONCE} builds are being published: ask again soon", retry_after=10) from None
    try:
        with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
            file = Path(folder) / "archive"
            with anyio.move_on_after(RECEIVE_SECONDS) as scope:
                try:
                    await _write(chunks, file, publishing.most_bytes)
                except OSError as error:
                    raise Failed(f"can't keep the archive in {tempfile.gettempdir()}: {error.strerror}") from None
            if scope.cancelled_caught:
                raise Invalid(f"the archive did not arrive within {RECEIVE_SECONDS} seconds")
            yield file
    finally:
        publishing.turns.release_on_behalf_of(turn)


async def _write(chunks: AsyncIterable[bytes], file: Path, most_bytes: int) -> None:
    size = 0
    async with await anyio.open_file(file, "xb") as opened:
        async for chunk in chunks:
            size += len(chunk)
            if size > most_bytes:
                raise TooLarge(f"the archive has more than {most_bytes} bytes, the most that is taken")
            await opened.write(chunk)
