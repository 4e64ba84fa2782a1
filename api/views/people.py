"""A person's grant as its users see it."""

import msgspec

from api.core.access import Grant
from api.core.role import Role


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """What a person or a group is granted."""

    person: str
    roles: tuple[Role, ...]
    products: tuple[str, ...]
    tenant: str | None


def view_person(person: str, grant: Grant) -> PersonView:
    """The grant for its users."""
    return PersonView(
        person=person, roles=tuple(sorted(grant.roles)), products=grant.products, tenant=grant.tenant
    )
