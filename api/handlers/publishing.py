"""Makes builds of archives."""

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
import structlog

from api.operations.publishing import PublishBuild
from api.perform import Call, handles
from api.publish import Publishing, order_of
from api.views.published import PublishedView, view_published
from bundles.core.errors import Failed, Invalid
from bundles.core.provenance import Input
from bundles.order import Order
from bundles.ports import ArtifactSource
from bundles.publish import publish as publish_build
from release.change import Author
from release.core.names import parse_channel
from release.held import Held
from release.publications import record_publication

_log = structlog.get_logger()


@handles(PublishBuild)
async def publish(call: Call, asked: PublishBuild) -> PublishedView:
    """The build, signed with the control plane's key. Raises `Refused` as `bundles.publish` does."""
    publishing, archive = call.plane.publishing, call.archive
    if publishing is None:
        raise Failed("nothing is published here: no place to unpack archives is named")
    if archive is None:
        raise Invalid("a build is made of an archive: send a tar, tgz or zip as the body")
    order, author = order_of(asked), Author(call.caller.name, asked.reason)
    held = Held(await call.plane.sources.table(), parse_channel(asked.channel))
    given = await anyio.to_thread.run_sync(publishing.read_input, archive)
    order = held.complete(_with_input(order, given), asked.deltas)
    async with _unpacked(publishing, archive, asked.include) as source:
        published = await publish_build(publishing.publisher, order, source, lambda _: None)
    if published.created:
        _log.info("published", product=order.product, version=order.version, actor=call.caller.name)
    await record_publication(call.control, published.manifest, author, was_there=not published.created)
    return view_published(published)


def _with_input(order: Order, given: Input) -> Order:
    """With the archive among what the build was made of, by a name that says of which."""
    named = msgspec.structs.replace(given, name=f"{order.product}-{order.version}".replace("/", "-"))
    provenance = msgspec.structs.replace(order.provenance, inputs=(named,))
    return msgspec.structs.replace(order, provenance=provenance)


@asynccontextmanager
async def _unpacked(
    publishing: Publishing, archive: Path, include: Sequence[str]
) -> AsyncIterator[ArtifactSource]:
    """The archive's files: to unpack them, and to remove them, blocks."""
    with anyio.CancelScope(shield=True):  # a thread goes on anyway, and its folder would stay
        stack = ExitStack()
        try:
            source = await anyio.to_thread.run_sync(stack.enter_context, publishing.unpack(archive, include))
        except Invalid as fault:  # where it is on this machine is nobody's affair
            raise Invalid(str(fault).replace(str(archive), "the archive")) from None
    try:
        yield source
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(stack.close)
