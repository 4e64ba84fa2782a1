"""What the redirects of all tenants who get one build have in common: every byte but a cache tag."""

import re
from typing import NamedTuple, cast

from bundles.core.names import Product
from bundles.core.version import Version
from release.core.names import ENVIRONMENT, PRODUCTION, TENANT, Environment, Tenant
from release.core.resolve import resolve_tenant
from release.core.routing import RoutingTable


class Common(NamedTuple):
    """What an answer shares with others. Those of one `target` are the same but for their `own` bytes in the head.

    `target` stands in the place of the request's: it begins with a version, so that it is no request's itself.
    """

    target: bytes
    own: bytes


# As it is on the wire. With a query, a fragment or percent signs, what it asks for is not what is written.
_TENANT_FILE = re.compile(
    rf"/t/({TENANT.pattern})(?:~({ENVIRONMENT.pattern}))?/((@[^/?#%]+/[^/?#%]+|[^@/?#%][^/?#%]*)/[^?#%]+)"
)

_Asked = tuple[Tenant, Environment, str, Product]


def common_redirect(table: RoutingTable | None, target: bytes, now: int) -> Common | None:
    """What the redirect of this target has in common with others, at `now` in seconds since the epoch.

    None where it is not plainly `/t/{tenant}[~environment]/{product}/{path}`, or the tenant gets nothing.
    """
    asked = _TENANT_FILE.fullmatch(target.decode("latin-1"))
    if asked is None or table is None:
        return None
    tenant, environment, what, product = cast("_Asked", asked.groups(PRODUCTION))
    routes = table.products.get(product)
    if routes is None:
        return None
    build = resolve_tenant(routes, tenant, environment, now=now, known=table.tenants).build
    return None if build is None else common_of(build, what, tenant)


def common_of(build: Version, what: str, tenant: Tenant) -> Common:
    """What the tenant's redirect has in common with others; `what` is `{product}/{path}`, percent-decoded."""
    return Common(f"{build} {what}".encode(), tenant_tag(tenant).encode())


def tenant_tag(tenant: Tenant) -> str:
    """The cache tag of all that one tenant gets."""
    return f"tenant:{tenant}"
