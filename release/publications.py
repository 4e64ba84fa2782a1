"""Publications: who published a build, and when, as a row of the audit trail.

A build exists once the store has its manifest; the row comes after that. Whoever is killed in between publishes
the same files again: the build is there then, and the row that lacks is written. Which builds have their row is
known by a document of each, so that none is written twice and the trail need not be read.
"""

import msgspec

from bundles.core.digest import Digest
from bundles.core.errors import Failed
from bundles.core.manifest import Manifest, manifest_digest
from bundles.core.names import Product
from bundles.core.version import Version
from release.change import Author, Begin, Control, Subject
from release.core.audit import PUBLISH
from release.ports import Kind, Ledger


class Publication(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Who published a build, at which revision; `digest` is that of its manifest, and so of all of it.

    With `was_there` the build existed already when the row was written: who made it may be somebody else, who was
    killed before its row was written, or published it where no row is.
    """

    digest: Digest
    actor: str
    at: int
    revision: int
    was_there: bool = False


PUBLICATIONS = Kind("publication", Publication)


class _Recorded(Exception):
    """The build has its row already."""


async def record_publication(control: Control, manifest: Manifest, author: Author, *, was_there: bool) -> None:
    """Write the row of a build that exists, unless there is one.

    It changes no resolution. Raises `Failed` where the row can't be written: the build exists all the same.
    """
    name, digest = _name(manifest.product, manifest.version), manifest_digest(manifest)
    subject = Subject(PUBLISH, manifest.product, manifest.version)

    async def act(begin: Begin) -> None:
        async with begin() as transaction:
            known = await transaction.document(PUBLICATIONS, name)
            if _is_recorded(known, digest, was_there=was_there):
                raise _Recorded
            publication = Publication(
                digest=digest,
                actor=author.actor,
                at=control.clock.now(),
                revision=await transaction.revision() + 1,
                was_there=was_there,
            )
            await transaction.save_document(PUBLICATIONS, name, publication)

    try:
        known = await read_publication(control.ledger, manifest.product, manifest.version)
        if not _is_recorded(known, digest, was_there=was_there):
            await control.once(subject, author, act, lambda _: None)
    except _Recorded:
        return
    except Failed as error:
        raise Failed(
            f"{name} is published, but whether its row is in the audit trail is not sure: {error}. Publish the"
            " same files again"
        ) from None


async def read_publication(ledger: Ledger, product: Product, version: Version) -> Publication | None:
    """Who published the build; None where there is no row of it."""
    async with ledger.reading() as reading:
        return await reading.document(PUBLICATIONS, _name(product, version))


def _is_recorded(known: Publication | None, digest: Digest, *, was_there: bool) -> bool:
    """Of two who publish the same at once, one makes the build and has a row, also where the other's is first."""
    return known is not None and known.digest == digest and (was_there or not known.was_there)


def _name(product: Product, version: Version) -> str:
    return f"{product}@{version}"
