"""What is known of tenants: attributes that rollouts are targeted by."""

from collections.abc import Mapping

from bundles.core.errors import NotFound, Refused
from release.change import Author, Begin, Control, Subject
from release.core.names import Tenant
from release.core.targeting import Attributes, check_attributes
from release.policies import EVERY_PRODUCT
from release.ports import TENANTS

MAX_TENANTS = 200_000


async def set_attributes(
    control: Control, known: Mapping[Tenant, Attributes], subject: str, author: Author
) -> None:
    """Record what is known of tenants, of each in the place of what was. One change, however many they are.

    `subject` is what the audit trail names. Raises `Refused` where too many tenants would be known.
    """
    for attributes in known.values():
        check_attributes(attributes)
    about = Subject("tenant-set", EVERY_PRODUCT, subject, asked=known)

    async def act(begin: Begin) -> None:
        async with begin() as transaction:
            present = await transaction.documents(TENANTS)
            if len(present.keys() | known.keys()) > MAX_TENANTS:
                raise Refused(
                    f"attributes of at most {MAX_TENANTS} tenants are kept: clear those that no plan needs"
                )
            for tenant, attributes in known.items():
                if present.get(tenant) != attributes:
                    await transaction.save_document(TENANTS, tenant, dict(attributes))

    await control.once(about, author, act, lambda _: None)


async def clear_attributes(control: Control, tenant: Tenant, author: Author) -> None:
    """Forget what is known of a tenant. Raises `Invalid` where nothing is."""
    subject = Subject("tenant-clear", EVERY_PRODUCT, tenant)

    async def act(begin: Begin) -> None:
        async with begin() as transaction:
            if await transaction.document(TENANTS, tenant) is None:
                raise _nothing_known(tenant)
            await transaction.save_document(TENANTS, tenant, None)

    await control.once(subject, author, act, lambda _: None)


async def read_attributes(control: Control, tenant: Tenant) -> Attributes:
    """What is known of a tenant. Raises `NotFound` where nothing is."""
    async with control.ledger.reading() as reading:
        known = await reading.document(TENANTS, tenant)
    if known is None:
        raise _nothing_known(tenant)
    return known


async def list_attributes(control: Control, after: str, limit: int) -> Mapping[str, Attributes]:
    """What is known of so many tenants that come after this one, in order."""
    async with control.ledger.reading() as reading:
        return await reading.documents(TENANTS, after=after, limit=limit)


def _nothing_known(tenant: Tenant) -> NotFound:
    return NotFound(f"nothing is known of a tenant {tenant!r}")
