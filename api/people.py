"""People: what each of them who logs in is granted."""

from collections.abc import Mapping

from api.core.access import Caller, Grant
from bundles.core.errors import NotFound, Refused
from release.change import Author, Begin, Control, Subject
from release.core.audit import Entry, document_at
from release.policies import EVERY_PRODUCT
from release.ports import Kind

PEOPLE = Kind("person", Grant)
MAX_PEOPLE = 10_000


async def set_person(control: Control, person: str, grant: Grant, caller: Caller, author: Author) -> None:
    """Grant this to a person, or a group. Who has logged in with another grant keeps it until their session ends.

    Raises `NotAllowed` where that, or what they had, is more than the caller has; `Refused` for one too many.
    """
    caller.require_covers(grant)
    subject = Subject("person-set", EVERY_PRODUCT, person, asked=grant)

    async def act(begin: Begin) -> None:
        async with begin() as transaction:
            present = await transaction.documents(PEOPLE)
            if (before := present.get(person)) is not None:
                caller.require_covers(before)
            elif len(present) >= MAX_PEOPLE:
                raise Refused(f"grants of at most {MAX_PEOPLE} people are kept: grant to groups")
            await transaction.save_document(PEOPLE, person, grant)

    await control.once(subject, author, act, lambda _: None)


async def remove_person(control: Control, person: str, caller: Caller, author: Author) -> Grant:
    """Grant a person, or a group, nothing any more; what they had. Their sessions are the caller's to end.

    Raises `NotFound`, and `NotAllowed` where they had more than the caller has.
    """
    subject = Subject("person-remove", EVERY_PRODUCT, person)

    async def act(begin: Begin) -> Grant:
        async with begin() as transaction:
            before = await transaction.document(PEOPLE, person)
            if before is None:
                raise NotFound(f"nothing was granted to {person!r}")
            caller.require_covers(before)
            await transaction.save_document(PEOPLE, person, None)
        return before

    def again(entry: Entry) -> Grant:
        return document_at(entry.before, f"documents/{PEOPLE.name}/{person}", Grant)

    return await control.once(subject, author, act, again)


async def list_people(control: Control) -> Mapping[str, Grant]:
    """What each was granted."""
    async with control.ledger.reading() as reading:
        return await reading.documents(PEOPLE)
