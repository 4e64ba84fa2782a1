"""Tenants as their users see them."""

import msgspec


class TenantView(msgspec.Struct, frozen=True):
    """What is known of a tenant."""

    tenant: str
    attributes: dict[str, str]


class ImportedView(msgspec.Struct, frozen=True):
    """How many tenants were told of."""

    tenants: int
