"""A caller as it sees itself."""

import msgspec

from api.core.access import Caller
from api.core.role import Role


class CallerView(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, with the roles that it has, for which products; a customer's tenant."""

    name: str
    roles: tuple[Role, ...]
    products: tuple[str, ...]
    tenant: str | None


def view_caller(caller: Caller) -> CallerView:
    """The caller for itself."""
    grant = caller.grant
    return CallerView(
        name=caller.name, roles=tuple(sorted(grant.roles)), products=grant.products, tenant=grant.tenant
    )
