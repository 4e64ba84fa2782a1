"""Who may do what: every route, asked for by everyone over HTTP, is as the one table of the routes says."""

import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import httpx
import pytest

from api.core.access import Grant
from api.core.operation import Route
from api.core.role import Role
from api.routes import all_routes
from bundles.core.names import Product
from tests.support.api import Asker, grant_of, make_named, make_token, revoke
from tests.support.openapi import Example, Examples
from tests.support.processes import ApiProcess

PRODUCT, TENANT = Product("posthog-js"), "acme"
"""Those of the examples in api/core/fields.py."""
OF_NO_TENANT = {"whoAmI"}
"""What a customer may ask for that is of no tenant: who it is itself."""
WHOLE = "*"
PATTERN = "posthog-*"
NEEDED_PATTERN = {
    "applyPolicy": WHOLE,
    "clearTenant": WHOLE,
    "createToken": WHOLE,
    "importTenants": WHOLE,
    "listAuditRows": WHOLE,
    "listRefusals": WHOLE,
    "retireBuilds": WHOLE,
    "setPerson": PATTERN,
    "setPublisher": PATTERN,
    "setTenant": WHOLE,
    "verifyAuditTrail": WHOLE,
}
"""What is for no single product, and for all that match this pattern; by the example where a field names it."""

COMPLETED_BY = {"setPublisher": {"owner_id": "9919"}}
"""What no schema tells that a request must have."""

GRANTS: dict[str, Grant] = {
    **{f"{role}": grant_of(role, TENANT) for role in Role},
    **{f"{role}-of-it": grant_of(role, TENANT, PATTERN) for role in Role},
    **{f"{role}-of-others": grant_of(role, TENANT, "other-*") for role in Role},
    "another-customer": grant_of(Role.CUSTOMER, "globex"),
    "another-customer-of-it": grant_of(Role.CUSTOMER, "globex", PATTERN),
}
ROUTES = all_routes()


@pytest.fixture(scope="module")
def secrets(api_data: Path) -> dict[str, str]:
    return make_named(api_data, {f"m-{name}": grant for name, grant in GRANTS.items()})


@pytest.fixture(scope="module")
def nobodys(api_data: Path) -> dict[str, str | None]:
    """What lets nobody in."""
    expired = make_token(api_data, "m-expired", grant_of(Role.ADMIN), lifetime=1)
    revoked = make_token(api_data, "m-revoked", grant_of(Role.ADMIN))
    revoke(api_data, revoked)
    time.sleep(2)
    valid = make_token(api_data, "m-valid", grant_of(Role.ADMIN))
    last = "0" if valid[-1] != "0" else "1"
    return {"none": None, "malformed": "x", "checksum": valid[:-1] + last, "revoked": revoked, "expired": expired}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


@pytest.fixture(scope="module")
def examples(server: ApiProcess) -> Examples:
    return Examples(httpx.get(f"{server.url}/api/v1/openapi.json").json())


def example(examples: Examples, route: Route) -> Example:
    """That names a product wherever one can be named, and is whole."""
    named = {"product": PRODUCT} if "product" in route.operation.__struct_fields__ else {}
    return examples.of(route, **named, **COMPLETED_BY.get(route.name, {}))


def is_let(route: Route, grant: Grant) -> bool:
    """By the table, and by nothing that the server does."""
    fields = route.operation.__struct_fields__
    if not grant.roles & route.roles:
        return False
    if "product" in fields and not grant.is_for_product(PRODUCT):
        return False
    if grant.tenant is not None and "tenant" in fields and grant.tenant != TENANT:
        return False
    needed = NEEDED_PATTERN.get(route.name)
    return needed is None or any(fnmatchcase(needed, pattern) for pattern in grant.products)


@pytest.mark.parametrize("name", GRANTS)
def test_everyone_may_do_what_the_table_says(
    name: str, server: ApiProcess, admin: Asker, http: httpx.Client, examples: Examples, secrets: dict[str, str]
) -> None:
    """What is refused is asked for in earnest, what is let only tried: the routing table is as it was."""
    before = admin.get("/changes", params={"limit": "1"})
    allowed, expected = {}, {}
    for route in ROUTES:
        expected[route.name] = is_let(route, GRANTS[name])
        query = {"dry_run": "true"} if expected[route.name] and route.is_change else {}
        answer = http.send(example(examples, route).sent(server.url, secrets[f"m-{name}"], **query))
        assert answer.status_code != 401, (route.name, answer.text)
        assert answer.status_code < 500 or route.takes_archive, (route.name, answer.text)
        allowed[route.name] = answer.status_code != 403
    assert allowed == expected
    assert admin.get("/changes", params={"limit": "1"}) == before


def test_nobody_is_let_in_by_what_is_no_valid_token(
    server: ApiProcess, admin: Asker, http: httpx.Client, examples: Examples, nobodys: dict[str, str | None]
) -> None:
    """Whatever is wrong with it, the answer is the same."""
    before = admin.get("/changes", params={"limit": "1"})
    answers = set()
    for route in ROUTES:
        for secret in nobodys.values():
            answer = http.send(example(examples, route).sent(server.url, secret))
            assert answer.headers.pop("x-request-id") == answer.json()["request_id"]
            assert answer.headers["www-authenticate"] == 'Bearer realm="headrace"'
            answers.add((answer.status_code, answer.text.partition(',"request_id"')[0]))
    assert [status for status, _ in answers] == [401]
    assert admin.get("/changes", params={"limit": "1"}) == before


def test_every_route_names_roles_and_every_one_of_a_customers_its_tenant() -> None:
    assert [route.name for route in ROUTES if not route.roles] == []
    of_customers = {route.name: route.operation for route in ROUTES if Role.CUSTOMER in route.roles}
    without = {name for name, operation in of_customers.items() if "tenant" not in operation.__struct_fields__}
    assert without == OF_NO_TENANT
    assert of_customers.keys() > OF_NO_TENANT


def test_a_customer_never_sees_what_is_another_tenants(
    server: ApiProcess, admin: Asker, http: httpx.Client, examples: Examples, secrets: dict[str, str]
) -> None:
    other = "globex"
    for tenant, environment in ((other, "production"), (other, "staging")):
        pin = {"target": "1.0.0", "reason": "for globex"}
        assert admin.ask("PUT", f"/products/sdk/pins/{tenant}/{environment}", json=pin).status_code == 200
    assert admin.ask("PUT", f"/products/sdk/pins/{TENANT}/production", json={"target": "^1"}).status_code == 200
    assert admin.ask("PUT", f"/tenants/{other}", json={"attributes": {"tier": "globex-gold"}}).status_code == 200
    rollout = {"candidate": "1.1.0", "canary": [other], "reason": "globex waits for it"}
    assert admin.ask("POST", "/products/sdk/channels/stable/rollout", json=rollout).status_code == 201
    seen = []
    for route in ROUTES:
        fields = set(route.operation.__struct_fields__) & {"tenant", "product"}
        for tenant in (TENANT, other):
            asked = examples.of(route, **{name: {"tenant": tenant, "product": "sdk"}[name] for name in fields})
            answer = http.send(asked.sent(server.url, secrets["m-customer"]))
            if answer.status_code == 200:
                seen.append(route.name)
            assert other not in answer.text, (route.name, answer.text)
            assert answer.status_code in (
                (403,) if tenant == other and "tenant" in fields else (200, 403, 404, 409)
            )
    assert set(seen) >= {"readPin", "readResolution", "whoAmI"}
