"""Who gets which build."""

from typing import Annotated

from msgspec import Meta

from api.core.access import CUSTOMERS, READERS
from api.core.fields import (
    ChannelField,
    CursorField,
    EnvironmentField,
    ProductField,
    TenantField,
    VersionField,
)
from api.core.operation import Method, Operation, route
from api.views.resolution import HoldersView, ResolutionView
from release.core.names import PRODUCTION, STABLE

_HOLDERS = "/products/{product}/builds/{version}/tenants"
MOST_HOLDERS = 100_000
_Holders = Annotated[int, Meta(ge=1, le=MOST_HOLDERS, description="The most tenants of a page")]
_Tenants = Annotated[tuple[TenantField, ...], Meta(max_length=30_000)]


@route(Method.GET, "/tenants/{tenant}/resolutions/{product}", READERS | CUSTOMERS)
class ReadResolution(Operation[ResolutionView], frozen=True, kw_only=True):
    """Say which build a tenant gets, which rule chose it, and what would change that, and when.

    It is read from the snapshot that origins serve by.
    """

    tenant: TenantField
    product: ProductField
    environment: EnvironmentField = PRODUCTION
    channel: ChannelField = STABLE


@route(Method.GET, _HOLDERS, READERS)
class ListHolders(Operation[HoldersView], frozen=True, kw_only=True):
    """List who is left on a build, of the tenants that pins, rollouts and what is known of tenants name."""

    product: ProductField
    version: VersionField
    channel: ChannelField = STABLE
    limit: _Holders = 1000
    cursor: CursorField = ""


@route(Method.POST, f"{_HOLDERS}/search", READERS)
class FindHolders(Operation[HoldersView], frozen=True, kw_only=True):
    """List who is left on a build, of these tenants too."""

    product: ProductField
    version: VersionField
    tenants: _Tenants
    channel: ChannelField = STABLE
    limit: _Holders = 1000
    cursor: CursorField = ""
