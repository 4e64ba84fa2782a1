"""Trusted publishers: name them, list them, and take them away."""

from collections.abc import Mapping

from api.core.access import Caller
from api.core.publishers import TrustedPublisher, check_publisher
from bundles.core.errors import NotFound, Refused
from release.change import Author, Begin, Control, Subject
from release.core.audit import Entry, document_at
from release.policies import EVERY_PRODUCT
from release.ports import Kind

PUBLISHERS = Kind("publisher", TrustedPublisher)
MAX_PUBLISHERS = 1000


async def set_publisher(
    control: Control, name: str, publisher: TrustedPublisher, caller: Caller, author: Author
) -> None:
    """Believe a publisher from now on, in the place of one of this name.

    Raises `Invalid` for one that believes too much or nothing, `NotAllowed` where it is let do more than the
    caller may, and `Refused` where there would be too many.
    """
    check_publisher(publisher)
    caller.require_covers(publisher.grant)
    subject = Subject("publisher-set", EVERY_PRODUCT, name, asked=publisher)

    async def act(begin: Begin) -> None:
        async with begin() as transaction:
            present = await transaction.documents(PUBLISHERS)
            if (before := present.get(name)) is not None:
                caller.require_covers(before.grant)
            elif len(present) >= MAX_PUBLISHERS:
                raise Refused(f"at most {MAX_PUBLISHERS} publishers are kept: remove those that publish no more")
            await transaction.save_document(PUBLISHERS, name, publisher)

    await control.once(subject, author, act, lambda _: None)


async def remove_publisher(control: Control, name: str, caller: Caller, author: Author) -> TrustedPublisher:
    """Believe a publisher no more; what it was. Its sessions end by themselves, within 15 minutes.

    Raises `NotFound`, and `NotAllowed` where it was let do more than the caller may.
    """
    subject = Subject("publisher-remove", EVERY_PRODUCT, name)

    async def act(begin: Begin) -> TrustedPublisher:
        async with begin() as transaction:
            before = await transaction.document(PUBLISHERS, name)
            if before is None:
                raise NotFound(f"there is no publisher {name!r}")
            caller.require_covers(before.grant)
            await transaction.save_document(PUBLISHERS, name, None)
        return before

    def again(entry: Entry) -> TrustedPublisher:
        return document_at(entry.before, f"documents/{PUBLISHERS.name}/{name}", TrustedPublisher)

    return await control.once(subject, author, act, again)


async def list_publishers(control: Control) -> Mapping[str, TrustedPublisher]:
    """The publishers, by their names."""
    async with control.ledger.reading() as reading:
        return await reading.documents(PUBLISHERS)


async def read_publisher(control: Control, name: str) -> TrustedPublisher | None:
    """The publisher of this name."""
    async with control.ledger.reading() as reading:
        return await reading.document(PUBLISHERS, name)
