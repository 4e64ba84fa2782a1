"""Publishes through a server what is here: packed, and looked at for secrets, before a byte is sent."""

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from api.operations.publishing import PublishBuild
from api.publish import AT_ONCE, order_of
from api.views.published import PublishedView
from bundles.adapters.pack import pack
from bundles.batch import Report, refuse_large, work_through
from bundles.core.errors import Invalid
from bundles.core.listing import Listed
from bundles.screen import WithoutSourceMaps, changed, screen
from headrace import publish_wiring
from headrace.client import AsyncClient
from headrace.client.upload import Sent, unseen
from headrace.options import DEFAULT_DATA
from headrace.profiles import Profile
from headrace.provenance_given import Given, provenance_of
from headrace.remote import client_of
from headrace.terminal import transfer

Watch = Callable[[str, int], AbstractContextManager[Sent]]
"""Shows of what, and of how many bytes, how much has been sent."""


def refuse_local_options(
    data: Path, database: str | None, key: Path | None, given: Given, attestations: Sequence[Path] | None
) -> None:
    """Raise `Invalid` for an option that would be without effect at a server, and nobody would know."""
    used = {
        "--data or HEADRACE_DATA": data != DEFAULT_DATA,
        "--database or HEADRACE_DATABASE": database is not None,
        "--key or HEADRACE_SIGNING_KEY": key is not None,
        "--input": bool(given.inputs),
        "--attestation": bool(attestations),
        "--sbom": given.sbom is not None,
        "--sbom-file": given.sbom_file is not None,
    }
    if wrong := [option for option, is_used in used.items() if is_used]:
        raise Invalid(
            f"a server takes no {wrong[0]}: leave that out; or leave HEADRACE_PROFILE and HEADRACE_SERVER out, and"
            " this machine publishes by itself"
        )


def with_surroundings(asked: PublishBuild, given: Given) -> PublishBuild:
    """The same with how it was made: as given, else as the CI system that this runs in has it."""
    provenance = provenance_of(given, (), os.environ)
    return msgspec.structs.replace(
        asked,
        commit=provenance.source.commit,
        source_repository=provenance.source.repository,
        builder=provenance.builder,
    )


def publish_there(profile: Profile, asked: PublishBuild, files: Path) -> PublishedView:
    """The build that the server makes of these files; on a terminal it is seen how much of them has been sent."""

    async def run() -> PublishedView:
        async with client_of(profile) as client:
            return await publish_files(client, asked, files, transfer)

    return anyio.run(run)


async def publish_files(client: AsyncClient, asked: PublishBuild, files: Path, watch: Watch) -> PublishedView:
    """The build of a folder or an archive, which `asked` narrows. Raises as `bundles.publish` does."""
    async with outgoing(asked, files) as archive:
        with watch(f"{asked.product}@{asked.version}", archive.stat().st_size) as sent:
            return await client.publish(msgspec.structs.replace(asked, include=()), archive, sent)


async def publish_all(
    profile: Profile,
    lines: Iterable[tuple[int, bytes]],
    asked_of: Callable[[Listed], PublishBuild],
    folder: Path,
    report: Report,
) -> None:
    """What `bundles.batch.publish_batch` does, by the server; `folder` is that of the list.

    So many builds are sent at a time as a server works on.
    """
    async with client_of(profile) as client:

        async def make(listed: Listed) -> PublishedView:
            with publish_wiring.source(folder / listed.files) as source:
                refuse_large(listed, source)
            return await publish_files(client, asked_of(listed), folder / listed.files, _unwatched)

        await work_through(lines, make, AT_ONCE, report)


def _unwatched(*_: object) -> AbstractContextManager[Sent]:
    return nullcontext(unseen)


@asynccontextmanager
async def outgoing(asked: PublishBuild, files: Path) -> AsyncIterator[Path]:
    """The archive to send. An archive of which nothing is left out is sent as it is, and all else is packed.

    Raises `Refused` where a secret or a source map would leave this machine.
    """
    order, may_go = order_of(asked), not asked.include and not await anyio.Path(files).is_dir()
    with (
        tempfile.TemporaryDirectory(prefix="headrace-") as scratch,
        publish_wiring.source(files, asked.include) as whole,
    ):
        source = whole if order.source_maps else WithoutSourceMaps(whole)
        screened = await screen(source, order.allowed_secrets, source_maps=order.source_maps)
        if may_go and source.paths == whole.paths:
            yield files
            return
        archive = Path(scratch) / "build.tgz"
        packed = await anyio.to_thread.run_sync(pack, source, archive)
        if differing := sorted(screened.items() ^ packed.items()):
            raise changed(differing[0][0])
        yield archive
