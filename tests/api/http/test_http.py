"""The admin API over HTTP: problems, conditions, keys, tries and limits, on a real server."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api.core.role import Role
from tests.support.api import Asker
from tests.support.processes import ApiProcess

CHANNEL = "/products/sdk/channels/stable"


@pytest.fixture(autouse=True)
def no_rollout(admin: Asker) -> None:
    """Each test begins with none."""
    admin.ask("POST", f"{CHANNEL}/rollout/abort")


def start(asker: Asker, **parts: object) -> httpx.Response:
    return asker.ask("POST", f"{CHANNEL}/rollout", json={"candidate": "1.1.0"}, **parts)


def test_a_rollout_is_started_walked_and_taken_back(askers: dict[Role, Asker]) -> None:
    releaser = askers[Role.RELEASER]
    started = start(releaser)
    assert started.status_code == 201
    assert started.json()["rollout"]["candidate"] == "1.1.0"
    assert started.json()["rollout"]["author"] == "token:a-releaser"
    promoted = releaser.ask("POST", f"{CHANNEL}/rollout/promote", json={"to": "50"})
    assert promoted.json()["rollout"]["stages"][promoted.json()["rollout"]["stage"]]["name"] == "50%"
    back = askers[Role.APPROVER].ask("POST", f"{CHANNEL}/rollback", json={"reason": "errors"})
    assert back.status_code == 200
    assert back.json()["rollout"] is None
    assert back.json()["stable"] == "1.0.0"


def test_what_is_known_already_is_not_sent_again(admin: Asker) -> None:
    first = admin.ask("GET", CHANNEL)
    again = admin.ask("GET", CHANNEL, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert not again.content
    assert again.headers["etag"] == first.headers["etag"]
    start(admin)
    assert admin.ask("GET", CHANNEL, headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_a_change_is_made_only_while_nothing_else_has_changed(admin: Asker) -> None:
    seen = admin.ask("GET", CHANNEL).headers["etag"]
    assert start(admin, headers={"if-match": seen}).status_code == 201
    pause = f"{CHANNEL}/rollout/pause"
    admin.refused("POST", pause, 412, "stale", headers={"if-match": seen})
    admin.refused("POST", pause, 412, "stale", headers={"if-match": '"somebody-elses"'})
    revision = admin.get(CHANNEL)["revision"]
    assert admin.ask("POST", pause, headers={"if-match": f'"{revision}"'}).status_code == 200


def test_what_is_sent_again_with_its_key_is_made_once(admin: Asker) -> None:
    headers = {"idempotency-key": "start-1"}
    first, again = start(admin, headers=headers), start(admin, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["revision"] == again.json()["revision"]
    body = {"candidate": "1.1.0", "stages": "100"}
    problem = admin.refused(
        "POST", f"{CHANNEL}/rollout", 422, "idempotency-key-reused", headers=headers, json=body
    )
    assert "start-1" in problem["detail"]


def test_of_many_that_start_at_once_one_does(admin: Asker) -> None:
    def begin(number: int) -> int:
        with httpx.Client() as http:
            own = Asker(http, admin.server, admin.token)
            return start(own, headers={"idempotency-key": f"many-{number}"}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(begin, range(8)))
    assert statuses == [201, *[409] * 7]


def test_a_change_can_be_tried(admin: Asker) -> None:
    before = admin.get(CHANNEL)
    tried = admin.ask("POST", f"{CHANNEL}/rollout", params={"dry_run": "true"}, json={"candidate": "1.1.0"})
    assert tried.status_code == 200
    assert tried.json()["revision"] == before["revision"]
    assert tried.json()["channels"][0]["stages"][0]["stage"] == "staging"
    assert admin.get(CHANNEL) == before
    admin.refused("POST", f"{CHANNEL}/rollout/promote", 409, "refused", params={"dry_run": "true"})


@pytest.mark.parametrize(
    ("method", "path", "parts", "status", "kind"),
    [
        ("GET", "/nowhere", {}, 404, "not-found"),
        ("GET", "/products/sdk/channels/none", {}, 404, "not-found"),
        ("GET", "/products/Not%20One/channels/stable", {}, 400, "malformed"),
        ("GET", f"{CHANNEL}?color=red", {}, 400, "malformed"),
        ("DELETE", CHANNEL, {}, 405, "no-such-method"),
        ("POST", f"{CHANNEL}/rollout", {"content": b"{"}, 415, "wrong-media-type"),
        ("POST", f"{CHANNEL}/rollout", {"json": []}, 400, "malformed"),
        ("POST", f"{CHANNEL}/rollout", {"json": {}}, 400, "malformed"),
        ("POST", f"{CHANNEL}/rollout", {"json": {"candidate": "1.1.0", "color": "red"}}, 400, "malformed"),
        ("POST", f"{CHANNEL}/rollout", {"json": {"candidate": "1.1.0", "product": "sdk"}}, 400, "malformed"),
        ("POST", f"{CHANNEL}/rollout?dry_run=maybe", {"json": {"candidate": "1.1.0"}}, 400, "malformed"),
        ("POST", f"{CHANNEL}/rollout", {"json": {"candidate": "9.9.9"}}, 404, "not-found"),
        ("POST", f"{CHANNEL}/rollout", {"json": {"candidate": "1.1.0", "stages": "5,1"}}, 422, "invalid"),
        ("DELETE", "/people/%EE%80%80%40example.com", {}, 422, "invalid"),
        ("POST", f"{CHANNEL}/rollout/pause", {}, 409, "refused"),
        ("POST", f"{CHANNEL}/rollout/pause", {"json": {"reason": "x" * 5_000_000}}, 413, "too-large"),
        ("POST", f"{CHANNEL}/rollout/pause", {"headers": {"idempotency-key": "k" * 201}}, 400, "malformed"),
        ("POST", f"{CHANNEL}/rollout/pause", {"headers": {"idempotency-key": ""}}, 400, "malformed"),
        ("POST", f"{CHANNEL}/rollout/pause", {"headers": {"idempotency-key": "a b"}}, 409, "refused"),
    ],
)
def test_a_fault_is_a_problem_of_its_kind(
    admin: Asker, method: str, path: str, parts: dict[str, object], status: int, kind: str
) -> None:
    admin.refused(method, path, status, kind, **parts)


def test_json_that_is_nested_too_deep_is_refused(admin: Asker) -> None:
    headers = {"content-type": "application/json"}
    deep = b'{"reason":' + b"[" * 100_000
    admin.refused("POST", f"{CHANNEL}/rollout/pause", 400, "malformed", content=deep, headers=headers)


def test_head_is_get_without_the_body(admin: Asker) -> None:
    whole, head = admin.ask("GET", CHANNEL), admin.ask("HEAD", CHANNEL)
    assert head.status_code == 200
    assert not head.content
    assert head.headers["etag"] == whole.headers["etag"]


def test_a_tenants_product_has_its_slash_either_way(admin: Asker) -> None:
    for product in ("@acme/content", "%40acme%2Fcontent"):
        problem = admin.refused("GET", f"/products/{product}/channels/stable", 404, "not-found")
        assert "@acme/content" in problem["detail"]


def test_only_an_admin_has_the_controller_run_or_ask_something_new(askers: dict[Role, Asker]) -> None:
    for added in (
        {"smoke_command": ["/bin/true"]},
        {"smoke_webhook": ["http://127.0.0.1:9/"]},
        {"rule": {"smoke_command": ["/bin/true"]}},
    ):
        body = {"candidate": "1.1.0", **added}
        askers[Role.RELEASER].refused("POST", f"{CHANNEL}/rollout", 403, "not-allowed", json=body)


def test_probes_say_that_it_is_alive_and_count(server: ApiProcess, admin: Asker) -> None:
    admin.get("/me")
    assert httpx.get(f"{server.probes}/healthz").text == "alive\n"
    assert httpx.get(f"{server.probes}/readyz").text.startswith("ready at revision ")
    counts = httpx.get(f"{server.probes}/metrics").text
    assert 'headrace_api_requests_total{operation="whoAmI",status="200"}' in counts
