"""Pins, blocks, tenants, the policy and retirements, asked for over HTTP."""

from api.core.role import Role
from tests.support.api import Asker

PIN = "/products/sdk/pins/acme/production"


def test_a_pin_is_set_unless_the_table_has_changed_since_it_was_read(admin: Asker) -> None:
    assert admin.ask("PUT", PIN, json={"target": "1.0.0"}).json()["target"] == "1.0.0"
    read = admin.ask("GET", PIN)
    assert (read.json()["build"], read.headers["etag"].split(".")[0]) == ("1.0.0", f'"{read.json()["revision"]}')
    if_match = {"if-match": read.headers["etag"]}
    tried = admin.ask("PUT", PIN, json={"target": "1.1.0"}, headers=if_match, params={"dry_run": "true"}).json()
    assert [move["after"] for move in tried["channels"][0]["moves"]] == ["1.1.0"]
    assert admin.ask("PUT", PIN, json={"target": "^1"}, headers=if_match).status_code == 200
    admin.refused("PUT", PIN, 412, "stale", json={"target": "1.1.0"}, headers=if_match)
    assert admin.ask("DELETE", PIN, params={"reason": "tested"}).json()["target"] == "^1"
    admin.refused("GET", PIN, 404, "not-found")


def test_a_customer_asks_for_its_own_tenant_alone(askers: dict[Role, Asker]) -> None:
    customer = askers[Role.CUSTOMER]
    customer.refused("PUT", "/products/sdk/pins/zeta/production", 403, "not-allowed", json={"target": "1.0.0"})
    customer.refused("PUT", PIN, 409, "refused", json={"target": "1.0.0"})
    customer.refused("GET", "/policy", 403, "not-allowed")


def test_the_policy_that_was_read_can_be_sent_again(admin: Asker) -> None:
    policy = {"pins": [{"customers": ["range"]}], "rollout": [{"stages": "staging,100"}]}
    assert admin.ask("PUT", "/policy", json={"policy": policy, "reason": "why"}).json() == policy
    assert admin.ask("PUT", "/policy", json={"policy": admin.get("/policy")}).json() == policy
    admin.refused("PUT", "/policy", 422, "invalid", json={"policy": {"rollout": [{"stages": "0"}]}})
    assert admin.ask("PUT", "/policy", json={"policy": {}}).json() == {}


def test_tenants_blocks_and_retirements(admin: Asker) -> None:
    known = {"acme": {"tier": "free"}, "import": {}}
    assert admin.ask("POST", "/tenants", json={"tenants": known, "source": "crm"}).json() == {"tenants": 2}
    assert admin.get("/tenants/import")["attributes"] == {}
    assert admin.get("/tenants", params={"limit": "1"})["items"] == [
        {"tenant": "acme", "attributes": {"tier": "free"}}
    ]
    assert admin.ask("PUT", "/products/sdk/blocks/1.1.0", json={"reason": "leaks"}).json()["affected"] == []
    assert admin.get("/products/sdk/blocks")["items"][0]["reason"] == "leaks"
    assert admin.ask("DELETE", "/products/sdk/blocks/1.1.0").status_code == 200
    tried = admin.ask("POST", "/retirements", json={"apply": True}, params={"dry_run": "true"}).json()
    assert (tried["applied"], {build["verdict"] for build in tried["builds"]}) == (False, {"keep"})


def test_an_integer_may_be_written_with_a_fraction_of_zero(admin: Asker) -> None:
    search = "/products/sdk/builds/1.0.0/tenants/search"
    assert admin.ask("POST", search, json={"tenants": ["acme"], "limit": 5.0}).status_code == 200
    admin.refused("POST", search, 400, "malformed", json={"tenants": ["acme"], "limit": 5.5})
    huge = b'{"tenants": ["acme"], "limit": 1e400}'
    admin.refused("POST", search, 400, "malformed", content=huge, headers={"content-type": "application/json"})
