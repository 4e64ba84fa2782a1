"""What is known of tenants."""

from api.core.page import Page, first_page, open_cursor
from api.operations.tenants import ClearTenant, ImportTenants, ListTenants, ReadTenant, SetTenant
from api.perform import Call, handles
from api.views.tenant import ImportedView, TenantView
from bundles.core.errors import Invalid
from release.core.names import parse_tenant
from release.tenants import clear_attributes, list_attributes, read_attributes, set_attributes


@handles(SetTenant)
async def set_(call: Call, asked: SetTenant) -> TenantView:
    """What is known of the tenant now."""
    call.caller.require_all_products("what is known of tenants")
    tenant = parse_tenant(asked.tenant)
    await set_attributes(call.control, {tenant: asked.attributes}, tenant, call.author(asked))
    return TenantView(tenant, asked.attributes)


@handles(ImportTenants)
async def import_(call: Call, asked: ImportTenants) -> ImportedView:
    """How many were told of."""
    call.caller.require_all_products("what is known of tenants")
    if not asked.source.isprintable():
        raise Invalid("the source of tenants is one line, in UTF-8")
    known = {parse_tenant(tenant): attributes for tenant, attributes in asked.tenants.items()}
    await set_attributes(call.control, known, asked.source, call.author(asked))
    return ImportedView(len(known))


@handles(ReadTenant)
async def read(call: Call, asked: ReadTenant) -> TenantView:
    """What is known of the tenant."""
    tenant = parse_tenant(asked.tenant)
    return TenantView(tenant, dict(await read_attributes(call.control, tenant)))


@handles(ClearTenant)
async def clear(call: Call, asked: ClearTenant) -> TenantView:
    """The tenant, of which nothing is known any more."""
    call.caller.require_all_products("what is known of tenants")
    tenant = parse_tenant(asked.tenant)
    await clear_attributes(call.control, tenant, call.author(asked))
    return TenantView(tenant, {})


@handles(ListTenants)
async def list_(call: Call, asked: ListTenants) -> Page[TenantView]:
    """A page of those of whom something is known."""
    after = open_cursor(asked.cursor, parse_tenant) or ""
    known = await list_attributes(call.control, after, asked.limit + 1)
    page = first_page(list(known.items()), lambda item: item[0], asked.limit)
    return page.each(lambda item: TenantView(item[0], dict(item[1])))
