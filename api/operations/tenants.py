"""What is known of tenants, for the rollouts of all products to go by; so who records it has a grant for all."""

from typing import Annotated

from msgspec import Meta

from api.core.access import READERS, RELEASERS
from api.core.fields import CursorField, ManyField, TenantField
from api.core.operation import Change, Method, Operation, route
from api.core.page import Page
from api.views.tenant import ImportedView, TenantView
from release.core.targeting import MAX_ATTRIBUTES
from release.tenants import MAX_TENANTS

_TENANT = "/tenants/{tenant}"

_Name = Annotated[str, Meta(pattern="^[a-z](?:[a-z0-9_-]{0,30}[a-z0-9])?$", examples=["tier"])]
_Value = Annotated[
    str, Meta(pattern="^[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,62}[A-Za-z0-9])?$", examples=["enterprise"])
]
_Attributes = Annotated[
    dict[_Name, _Value],
    Meta(max_length=MAX_ATTRIBUTES, description="What is known of the tenant, in the place of what was"),
]


@route(Method.PUT, _TENANT, RELEASERS)
class SetTenant(Change[TenantView], frozen=True, kw_only=True):
    """Record what is known of a tenant, in the place of what was."""

    tenant: TenantField
    attributes: _Attributes


@route(Method.POST, "/tenants", RELEASERS)
class ImportTenants(Change[ImportedView], frozen=True, kw_only=True):
    """Record what is known of many tenants, of each in the place of what was: all in one change.

    Of other tenants, what is known stays. `source` is what the audit trail calls the list.
    """

    tenants: Annotated[dict[TenantField, _Attributes], Meta(max_length=MAX_TENANTS)]
    source: Annotated[str, Meta(min_length=1, max_length=200, examples=["tenants.txt"])]


@route(Method.GET, _TENANT, READERS)
class ReadTenant(Operation[TenantView], frozen=True, kw_only=True):
    """What is known of a tenant."""

    tenant: TenantField


@route(Method.DELETE, _TENANT, RELEASERS)
class ClearTenant(Change[TenantView], frozen=True, kw_only=True):
    """Forget what is known of a tenant."""

    tenant: TenantField


@route(Method.GET, "/tenants", READERS)
class ListTenants(Operation[Page[TenantView]], frozen=True, kw_only=True):
    """The tenants of whom something is known."""

    cursor: CursorField = ""
    limit: ManyField = 100
