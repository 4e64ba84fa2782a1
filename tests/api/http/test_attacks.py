"""What attackers have tried on the admin API, on a real server."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.core.access import Grant
from api.core.role import Role
from tests.support.api import Asker, grant_of, make_session, make_token
from tests.support.processes import ApiProcess

AFTER_THE_LAST_YEAR = "9999-12-31T23:59:59-23:59"
CHANNEL = "/products/sdk/channels/stable"


@pytest.fixture(scope="module")
def narrow(api_data: Path, server: ApiProcess) -> Iterator[dict[Role, Asker]]:
    """A viewer and an admin of products of which there are none yet."""
    made = {}
    with httpx.Client() as http:
        for role in (Role.VIEWER, Role.ADMIN):
            grant = Grant(roles=frozenset({role}), products=("acme-*",))
            made[role] = Asker(http, server.url, make_token(api_data, f"acme-{role}", grant))
        yield made


def test_no_time_is_kept_that_nobody_can_be_shown(admin: Asker) -> None:
    """One of the year 10000 broke every list of the product's pins from then on."""
    pin = {"target": "1.0.0", "until": AFTER_THE_LAST_YEAR}
    admin.refused("PUT", "/products/sdk/pins/late/production", 422, "invalid", json=pin)
    assert admin.get("/products/sdk/pins")["items"] == []
    begun = {"candidate": "1.1.0", "at": AFTER_THE_LAST_YEAR}
    admin.refused("POST", f"{CHANNEL}/rollout", 422, "invalid", json=begun)


@pytest.mark.parametrize("path", ["/audit", "/changes", "/refusals"])
@pytest.mark.parametrize("key", ["9" * 30, "-1", '{"minute":9223372036854775808,"caller":""}'])
def test_a_forged_cursor_is_no_fault_of_the_servers(admin: Asker, path: str, key: str) -> None:
    cursor = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
    admin.refused("GET", path, 422, "invalid", params={"cursor": cursor})


def test_what_is_unknown_names_no_product_of_others(narrow: dict[Role, Asker], askers: dict[Role, Asker]) -> None:
    for path in ("/products/acme-x/channels/stable", "/products/acme-x/pins", "/tenants/acme/resolutions/acme-x"):
        assert "sdk" not in narrow[Role.VIEWER].refused("GET", path, 404, "not-found")["detail"]
    retired = narrow[Role.ADMIN].refused("POST", "/retirements", 404, "not-found", json={"products": "acme-*"})
    assert "sdk" not in retired["detail"]
    hidden = askers[Role.CUSTOMER].refused("GET", "/tenants/acme/resolutions/nope", 404, "not-found")
    assert "sdk" not in hidden["detail"]
    assert "sdk" in askers[Role.VIEWER].refused("GET", "/products/nope/pins", 404, "not-found")["detail"]


def test_an_admin_of_some_products_sees_nobody_elses_rights(narrow: dict[Role, Asker]) -> None:
    admin = narrow[Role.ADMIN]
    assert {token["name"] for token in admin.get("/tokens")["items"]} == {"acme-viewer", "acme-admin"}
    assert admin.get("/people")["items"] == []
    assert admin.get("/publishers")["items"] == []
    admin.refused("GET", "/refusals", 403, "not-allowed")


def test_a_name_in_the_url_is_what_was_sent_and_no_part_of_it(admin: Asker) -> None:
    """`%23` and `%3F` ended the path: rights went to the group whose name is the part before."""
    granted = {"roles": ["viewer"], "products": ["sdk"]}
    for sent, meant in (("group:a%23b", "group:a#b"), ("group:a%3Fb", "group:a?b")):
        assert admin.ask("PUT", f"/people/{sent}", json=granted).json()["person"] == meant
        assert admin.ask("DELETE", f"/people/{sent}").json()["person"] == meant
    for control in ("%09", "%00"):
        admin.refused("PUT", f"/people/group:a{control}", 400, "malformed", json=granted)
        admin.refused("GET", f"/products/sdk{control}/pins", 400, "malformed")
    admin.refused("PUT", "/people/group:a%E2%80%AE", 422, "invalid", json=granted)
    admin.refused("GET", "/products/sdk%E2%80%AE/pins", 400, "malformed")
    admin.refused("PUT", "/people/group:a%0A", 422, "invalid", json=granted)
    admin.refused("GET", "/products/sdk%0A/pins", 422, "invalid")


def test_a_publisher_is_known_by_text_on_one_line(admin: Asker) -> None:
    publisher = {
        "service": "github",
        "repository": "acme/sdk",
        "owner_id": "1",
        "workflow": "release.yml",
        "environment": "production\u202e",
        "refs": ["refs/tags/v*"],
        "products": ["sdk"],
    }
    admin.refused("PUT", "/publishers/sdk", 422, "invalid", json=publisher)


def made_by(admin: Asker, maker: Asker, name: str, *roles: str, owner: str | None = None) -> Asker:
    """Who asks with a token that the maker has made."""
    made = maker.ask("POST", "/tokens", json={"name": name, "roles": roles, "owner": owner})
    assert made.status_code == 201, made.text
    return Asker(admin.http, admin.server, made.json()["secret"])


def test_nobody_approves_by_a_token_of_their_own_making(admin: Asker, askers: dict[Role, Asker]) -> None:
    kim = made_by(admin, admin, "kim", "admin")
    puppet = made_by(admin, kim, "puppet", "admin")
    puppets_own = made_by(admin, puppet, "puppets-own", "approver")
    rule: dict[str, object] = {"policy": {"approval": [{}]}}
    assert admin.ask("PUT", "/policy", json=rule).status_code == 200
    try:
        for author, others in ((kim, (puppet, puppets_own)), (puppet, (kim, puppets_own, admin))):
            assert author.ask("POST", f"{CHANNEL}/rollout", json={"candidate": "1.1.0"}).status_code == 201
            for other in others:
                approved = {"candidate": "1.1.0"}
                told = other.refused("POST", f"{CHANNEL}/rollout/approve", 409, "refused", json=approved)
                assert "someone else must approve it" in told["detail"]
            someone_else = askers[Role.APPROVER]
            assert someone_else.ask("POST", f"{CHANNEL}/rollout/approve", json=approved).status_code == 200
            assert author.ask("POST", f"{CHANNEL}/rollout/abort").status_code == 200
    finally:
        admin.ask("PUT", "/policy", json={"policy": {}})


def test_a_person_is_one_whoever_made_their_tokens(admin: Asker, api_data: Path) -> None:
    grant = grant_of(Role.ADMIN)
    one, two = (Asker(admin.http, admin.server, make_token(api_data, f"maker-{each}", grant)) for each in (1, 2))
    adas = made_by(admin, one, "adas", "admin", owner="Ada@example.com")
    adas_other = made_by(admin, two, "adas-other", "admin", owner="ada@example.com")
    adas_own = made_by(admin, adas, "adas-own", "admin")
    bobs = made_by(admin, one, "bobs", "admin", owner="bob@example.com")
    unnamed = [made_by(admin, one, f"unnamed-{each}", "admin") for each in (1, 2)]
    ada = Asker(admin.http, admin.server, make_session(api_data, grant, "ada@example.com"))
    carl = Asker(admin.http, admin.server, make_session(api_data, grant, "carl@example.com"))
    owners = {each["name"]: each["owner"] for each in admin.get("/tokens", params={"limit": 100})["items"]}
    assert [owners[name] for name in ("adas", "adas-other", "adas-own")] == ["ada@example.com"] * 3
    assert owners["unnamed-1"] == owners["maker-1"] == "maker-1@example.com"
    approved: dict[str, Any] = {"json": {"candidate": "1.1.0"}}
    assert admin.ask("PUT", "/policy", json={"policy": {"approval": [{}]}}).status_code == 200
    try:
        for author, same, another in (
            (ada, (adas, adas_other, adas_own), one),
            (adas, (ada, adas_other, adas_own, one), bobs),
            (adas_other, (ada, adas, adas_own, two), one),
            (adas_own, (ada, adas, adas_other, one), bobs),
            (one, (adas, adas_own, bobs, *unnamed), two),
            (unnamed[0], (one, unnamed[1]), adas_other),
            (bobs, (one, unnamed[0]), adas),
            (carl, (), ada),
        ):
            assert author.ask("POST", f"{CHANNEL}/rollout", **approved).status_code == 201
            for other in (author, *same):
                other.refused("POST", f"{CHANNEL}/rollout/approve", 409, "refused", **approved)
            assert another.ask("POST", f"{CHANNEL}/rollout/approve", **approved).status_code == 200
            assert author.ask("POST", f"{CHANNEL}/rollout/abort").status_code == 200
    finally:
        admin.ask("PUT", "/policy", json={"policy": {}})


def test_a_token_keeps_its_owner_when_it_is_rotated_by_another(admin: Asker) -> None:
    made = admin.ask("POST", "/tokens", json={"name": "kept", "roles": ["viewer"], "owner": "ada@example.com"})
    rotated = admin.ask("POST", f"/tokens/{made.json()['token']['id']}/rotate", json={}).json()["token"]
    assert (rotated["owner"], rotated["created_by"]) == ("ada@example.com", "token:a-admin")
    kept = admin.get("/changes", params={"limit": 1})["items"][0]["after"][f"documents/token/{rotated['id']}"]
    assert kept["owner"] == "ada@example.com"
    for nobody in ("group:devs", "ada", f"{'a' * 60}@{'b' * 60}.com"):
        admin.refused("POST", "/tokens", 422, "invalid", json={"name": "x", "roles": ["viewer"], "owner": nobody})
    named = {"name": "by-subject", "roles": ["viewer"], "owner": "https://id.example.com|17"}
    assert admin.ask("POST", "/tokens", json=named).json()["token"]["owner"] == "oidc:id.example.com|17"


def test_a_customer_tries_a_change_and_sees_no_other_tenant(admin: Asker, askers: dict[Role, Asker]) -> None:
    customers_may = {"policy": {"pins": [{"customers": ["exact", "candidates"]}]}}
    assert admin.ask("PUT", "/policy", json=customers_may).status_code == 200
    begun = {"candidate": "1.1.0", "canary": ["globex"]}
    assert admin.ask("POST", f"{CHANNEL}/rollout", json=begun).status_code == 201
    try:
        for target in ("1.1.0", "candidates"):
            tried = askers[Role.CUSTOMER].ask(
                "PUT", "/products/sdk/pins/acme/production", params={"dry_run": "true"}, json={"target": target}
            )
            assert tried.status_code == 200
            assert "globex" not in tried.text
            moved = [move["tenant"] for channel in tried.json()["channels"] for move in channel["moves"]]
            assert moved == (["acme"] if target == "1.1.0" else [])
    finally:
        admin.ask("POST", f"{CHANNEL}/rollout/abort")
        admin.ask("PUT", "/policy", json={"policy": {}})
