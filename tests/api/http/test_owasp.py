"""The OWASP API Security Top 10 of 2023, each risk tried on the running server by those who might."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from api.access_log import AccessLog
from api.admission import Admission
from api.app import create_app
from api.core.limits import Limits
from api.core.operation import PREFIX
from api.core.role import Role
from api.endpoints.described import LEAKS
from api.gate import AccessGate
from api.perform import Plane
from tests.support.api import PROBLEM, Asker, grant_of, make_named, make_token
from tests.support.cli import fail, publish, release
from tests.support.processes import ApiProcess, api

CHANNEL = "/products/sdk/channels/stable"
PIN = "/products/sdk/pins/{tenant}/production"
SECURITY_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture
def no_rollout(admin: Asker) -> Iterator[None]:
    """None and no policy, before and after."""
    admin.ask("POST", f"{CHANNEL}/rollout/abort")
    yield
    admin.ask("POST", f"{CHANNEL}/rollout/abort")
    assert admin.ask("PUT", "/policy", json={"policy": {}}).status_code == 200


@pytest.fixture(scope="module")
def strict(api_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """A server with all that there is, and low limits."""
    login = tmp_path_factory.mktemp("login") / "login.toml"
    login.write_text('issuer = "http://127.0.0.1:9"\nclient_id = "headrace"\n')
    login.chmod(0o600)
    options = ("--public-url", "https://headrace.example.com", "--login", str(login))
    with api(api_data, *options, "--reads", "40", "--changes", "5", "--strangers", "5") as process:
        yield process


def send(server: ApiProcess, *lines: str) -> bytes:
    """What the server says to a request that no client would write."""
    url = urlsplit(server.url)
    with closing(socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20)) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        said = b""
        with suppress(ConnectionResetError):  # what it had not read was still on its way
            while part := client.recv(65_536):
                said += part
        return said


def test_api1_broken_object_level_authorization(
    admin: Asker, askers: dict[Role, Asker], api_data: Path, server: ApiProcess, tmp_path: Path
) -> None:
    """A customer has its own tenant's objects alone, and who has some products those alone."""
    publish(api_data, tmp_path, "1.0.0", product="@globex/site")
    release(api_data, "1.0.0", product="@globex/site")
    customer = askers[Role.CUSTOMER]
    theirs = PIN.format(tenant="globex")
    assert admin.ask("PUT", theirs, json={"target": "1.0.0"}).status_code == 200
    for method, path, body in (
        ("GET", theirs, None),
        ("PUT", theirs, {"target": "^1"}),
        ("DELETE", theirs, None),
        ("GET", "/tenants/globex/resolutions/sdk", None),
        ("GET", "/tenants/acme/resolutions/@globex/site", None),
        ("GET", "/products/@globex/site/pins/acme/production", None),
        ("PUT", "/products/%40globex%2Fsite/pins/acme/production", {"target": "^1"}),
    ):
        parts = {} if body is None else {"json": body}
        customer.refused(method, path, 403, "not-allowed", **parts)
    assert admin.get(theirs)["target"] == "1.0.0"
    assert customer.ask("GET", "/tenants/acme/resolutions/sdk").status_code == 200
    for unknown in ("@acme/site", "none"):
        for path in (f"/tenants/acme/resolutions/{unknown}", f"/products/{unknown}/pins/acme/production"):
            assert "globex" not in customer.refused("GET", path, 404, "not-found")["detail"]
    with httpx.Client() as http:
        for role in (Role.ADMIN, Role.CUSTOMER):
            some = Asker(http, server.url, make_token(api_data, f"some-{role}", grant_of(role, "acme", "other-*")))
            some.refused("GET", PIN.format(tenant="acme"), 403, "not-allowed")
        named = grant_of(Role.CUSTOMER, "acme", "@globex/*")
        friend = Asker(http, server.url, make_token(api_data, "friend", named))
        assert friend.ask("GET", "/tenants/acme/resolutions/@globex/site").status_code == 200


def test_api2_broken_authentication(server: ApiProcess, tokens: dict[Role, str]) -> None:
    """A credential counts where it belongs and whole; whatever is wrong, the answer is the same."""
    secret = tokens[Role.ADMIN]
    other = "A" if secret[10] != "A" else "B"
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"authorization": secret},
        {"authorization": f"Basic {secret}"},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {secret[:-1]}"},
        {"authorization": f"Bearer {secret[:10]}{other}{secret[11:]}"},
        {"authorization": f"Bearer {secret.upper()}"},
        {"authorization": f"Bearer {secret} {secret}"},
        {"x-api-key": secret},
        {"cookie": f"__Host-headrace={secret}"},
    )
    told = set()
    for headers in wrong:
        answer = httpx.get(f"{server.url}{PREFIX}/me", headers=headers)
        assert answer.status_code == 401, headers
        told.add((answer.json()["type"], answer.json()["detail"]))
    for name in ("token", "access_token", "authorization"):
        answer = httpx.get(f"{server.url}{PREFIX}/me", params={name: secret})
        assert answer.status_code == 401
        told.add((answer.json()["type"], answer.json()["detail"]))
    assert len(told) == 1


def test_api3_broken_object_property_level_authorization(admin: Asker, askers: dict[Role, Asker]) -> None:
    """What is not a caller's to say is refused, and what is not its to know not told."""
    pin = PIN.format(tenant="acme")
    for name, value in (
        ("author", "somebody"),
        ("by_customer", False),
        ("revision", 1),
        ("tenant", "globex"),
        ("expires_at", 1),
    ):
        for role in (Role.CUSTOMER, Role.ADMIN):
            askers[role].refused("PUT", pin, 400, "malformed", json={"target": "^1", name: value})
    for name, value in (("id", "0" * 16), ("secret", "hdr_x"), ("created_by", "eve"), ("digest", "0" * 64)):
        body = {"name": "api3", "roles": ["viewer"], name: value}
        admin.refused("POST", "/tokens", 400, "malformed", json=body)
    made = admin.ask("POST", "/tokens", json={"name": "api3", "roles": ["viewer"]}).json()
    assert made["secret"].startswith("hdr_")
    listed = admin.ask("GET", "/tokens").text + admin.ask("GET", "/audit").text + admin.ask("GET", "/changes").text
    assert '"api3"' in listed
    assert "digest" not in json.loads(admin.ask("GET", "/tokens").text)["items"][0]
    assert made["secret"] not in listed
    for path in (pin, "/tenants/acme/resolutions/sdk"):
        assert "globex" not in askers[Role.CUSTOMER].ask("GET", path).text


def test_api4_unrestricted_resource_consumption(admin: Asker, server: ApiProcess) -> None:
    """Bodies, pages, parameters, nesting and heads are bounded."""
    pause = f"{CHANNEL}/rollout/pause"
    as_json = {"content-type": "application/json"}
    admin.refused("POST", pause, 413, "too-large", content=b" " * (4 * 1024 * 1024 + 1), headers=as_json)
    admin.refused("POST", pause, 400, "malformed", content=b'{"reason":' + b"[" * 100_000, headers=as_json)
    admin.refused("POST", pause, 415, "wrong-media-type", json={}, headers={"content-encoding": "gzip"})
    for limit in ("0", "1001", "-1", "x"):
        admin.refused("GET", "/products", 400, "malformed", params={"limit": limit})
    many = "&".join(f"a{number}=1" for number in range(201))
    admin.refused("GET", f"/products?{many}", 400, "malformed")
    head = ["GET /api/v1/me HTTP/1.1", "host: x", f"authorization: Bearer {admin.token}", "connection: close"]
    assert b"200 OK" in send(server, *head)
    assert b"400 Bad Request" in send(server, *head, *[f"x-filler: {'y' * 1_000}"] * 300)


def test_api4_limits_hold_for_each_and_lock_nobody_out(strict: ApiProcess, api_data: Path) -> None:
    """A token that is used up keeps no other out, nor an address that is refused a valid token."""
    secrets = make_named(api_data, {"busy": grant_of(Role.ADMIN), "calm": grant_of(Role.ADMIN)})
    with httpx.Client() as http:
        busy, calm = (Asker(http, strict.url, secrets[name]) for name in ("busy", "calm"))
        answers = [busy.ask("POST", f"{CHANNEL}/rollout/pause") for _ in range(6)]
        assert [each.status_code for each in answers] == [409] * 5 + [429]
        assert answers[-1].json()["type"] == f"{PROBLEM}too-many-requests"
        assert 0 < int(answers[-1].headers["retry-after"]) <= 60
        assert busy.ask("GET", "/me").status_code == 200
        assert [busy.ask("GET", "/me").status_code for _ in range(40)].count(429) >= 1
        strangers = [httpx.get(f"{strict.url}{PREFIX}/me").status_code for _ in range(6)]
        assert strangers == [401] * 5 + [429]
        assert calm.ask("GET", "/me").status_code == 200
        assert calm.ask("POST", f"{CHANNEL}/rollout/pause").status_code == 409


def test_api4_a_head_that_never_ends_ends_the_connection(admin: Asker, server: ApiProcess) -> None:
    """And holds up nobody until then."""
    url = urlsplit(server.url)
    with closing(socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20)) as slow:
        slow.sendall(b"GET /api/v1/me HTTP/1.1\r\nhost: x\r\n")
        assert admin.ask("GET", "/me").status_code == 200
        assert slow.recv(100) == b""


@pytest.mark.usefixtures("no_rollout")
def test_api6_unrestricted_access_to_sensitive_business_flows(
    askers: dict[Role, Asker], admin: Asker, api_data: Path, server: ApiProcess
) -> None:
    """A rollout is begun by who may, and let out of staging by somebody else."""
    approve, body = f"{CHANNEL}/rollout/approve", {"candidate": "1.1.0"}
    assert admin.ask("PUT", "/policy", json={"policy": {"approval": [{}]}}).status_code == 200
    for role in (Role.VIEWER, Role.PUBLISHER, Role.APPROVER, Role.CUSTOMER):
        askers[role].refused("POST", f"{CHANNEL}/rollout", 403, "not-allowed", json=body)
    begun = {**body, "stages": "100"}
    admin.refused("POST", f"{CHANNEL}/rollout", 409, "refused", json=begun)
    secret = make_token(api_data, "api6", grant_of(Role.ADMIN))
    with httpx.Client() as http:
        author = Asker(http, server.url, secret)
        assert author.ask("POST", f"{CHANNEL}/rollout", json=body).status_code == 201
        author.refused("POST", approve, 409, "refused", json=body)
        mine = next(each for each in admin.get("/tokens")["items"] if each["name"] == "api6")
        rotated = author.ask("POST", f"/tokens/{mine['id']}/rotate", json={}).json()
        Asker(http, server.url, rotated["secret"]).refused("POST", approve, 409, "refused", json=body)
        author.refused("POST", "/tokens", 409, "refused", json={"name": "api6", "roles": ["approver"]})
    askers[Role.RELEASER].refused("POST", f"{CHANNEL}/rollout/promote", 409, "refused", json={"to": "done"})
    askers[Role.RELEASER].refused("POST", approve, 403, "not-allowed", json=body)
    approved = askers[Role.APPROVER].ask("POST", approve, json=body).json()
    assert approved["rollout"]["approved_by"] == "token:a-approver"


@pytest.mark.usefixtures("no_rollout")
def test_api7_server_side_request_forgery(askers: dict[Role, Asker]) -> None:
    """What the server would ask or run, an admin alone names."""
    here = "http://127.0.0.1:9/"
    for role in (Role.RELEASER, Role.APPROVER, Role.PUBLISHER, Role.VIEWER, Role.CUSTOMER):
        for added in (
            {"smoke_webhook": [here]},
            {"smoke_command": ["/bin/true"]},
            {"rule": {"smoke_webhook": [here]}},
            {"rule": {"smoke_command": ["/bin/true"]}},
        ):
            body = {"candidate": "1.1.0", **added}
            askers[role].refused("POST", f"{CHANNEL}/rollout", 403, "not-allowed", json=body)
        policy = {"policy": {"check": [{"name": "x", "webhook": here}]}}
        askers[role].refused("PUT", "/policy", 403, "not-allowed", json=policy)


def test_api8_security_misconfiguration(
    admin: Asker, server: ApiProcess, strict: ApiProcess, api_data: Path
) -> None:
    """Every answer has the headers, none tells of the server; and no token crosses a network in clear text."""
    url = server.url + PREFIX
    own = {"authorization": f"Bearer {admin.token}"}
    answers = [
        httpx.get(f"{url}/me", headers=own),
        httpx.get(f"{url}/me"),
        httpx.get(f"{url}/nowhere", headers=own),
        httpx.get(f"{server.url}/"),
        httpx.get(f"{server.url}/docs"),
        httpx.get(f"{url}/products?limit=x", headers=own),
        httpx.post(f"{url}{CHANNEL}/rollout/pause", headers=own),
        httpx.post(f"{url}/leaks", content=b"[]"),
        httpx.post(f"{strict.url}{PREFIX}/exchange", content=b"{"),
        httpx.get(f"{strict.url}{PREFIX}/login/callback"),
        *(httpx.request(method, f"{url}/me", headers=own) for method in ("OPTIONS", "TRACE", "CONNECT", "PATCH")),
    ]
    preflight = {"origin": "https://evil.example", "access-control-request-method": "GET", **own}
    answers.append(httpx.options(f"{url}/me", headers=preflight))
    answers.append(httpx.get(f"{url}/me", headers=preflight))
    for answer in answers:
        assert SECURITY_HEADERS.items() <= dict(answer.headers).items(), answer.request.url
        assert "server" not in answer.headers
        assert not any(name.startswith("access-control-") for name in answer.headers)
        assert "Traceback" not in answer.text
    assert [answer.status_code for answer in answers[-6:]] == [405, 405, 405, 405, 405, 200]
    assert httpx.request("TRACE", f"{url}/me", headers=own).headers["allow"] == "GET, HEAD"
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        assert "could read tokens" in fail(api_data, "api", "--host", host, code=3)


@pytest.mark.anyio
async def test_api8_a_fault_of_its_own_tells_nothing(plane: Plane) -> None:
    class Broken:
        name = "broken"

        async def respond(self, *_: object) -> httpx.Response:
            raise RuntimeError("the password is secret")

    log = AccessLog(plane.access, plane.control.clock)
    gate = AccessGate(Admission(plane, log, Limits()), log)
    app = create_app(plane, gate, [(LEAKS.method, LEAKS.path, Broken())])  # type: ignore[list-item]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answer = await client.post(PREFIX + LEAKS.path)
    assert answer.status_code == 500
    assert answer.json()["type"] == f"{PROBLEM}fault"
    assert SECURITY_HEADERS.items() <= dict(answer.headers).items()
    assert not any(word in answer.text for word in ("password", "RuntimeError", "Traceback", ".py"))


def test_api9_improper_inventory_management(strict: ApiProcess) -> None:
    """All that is served is told, as it is checked in, and all that is told is served; there is one version."""
    served = httpx.get(f"{strict.url}{PREFIX}/openapi.json").content
    document = json.loads(served)
    assert served == (Path(__file__).parents[3] / "docs" / "openapi.json").read_bytes()
    for path, methods in document["paths"].items():
        plain = path.replace("{", "").replace("}", "")
        answer = httpx.request("TRACE", strict.url + plain)
        assert answer.status_code == 405, path
        told = {method.upper() for method in methods}
        assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == told
    for path in ("/api/v2/me", "/api/v0/me", "/api/me", "/v1/me", "/api/v1", "/api/v1/", "/API/v1/me", "/metrics"):
        assert httpx.get(strict.url + path).status_code == 404


def test_api10_unsafe_consumption_of_apis(server: ApiProcess, api_data: Path) -> None:
    """What others send of their own is bounded, and believed by a signature alone."""
    leaks = f"{server.url}{PREFIX}/leaks"
    for headers in ({}, {"headrace-timestamp": "1", "headrace-signature": "v1=0"}):
        assert httpx.post(leaks, content=b"[]", headers=headers).status_code == 401
    assert httpx.post(leaks, content=b" " * (4 * 1024 * 1024 + 1)).status_code == 413
    unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2V2aWwuZXhhbXBsZSJ9."
    with api(api_data, "--public-url", "https://headrace.example.com") as listening:
        exchange = f"{listening.url}{PREFIX}/exchange"
        assert httpx.post(exchange, json={"publisher": "none", "token": unsigned}).status_code == 401
        assert httpx.post(exchange, content=b" " * 70_000).status_code == 413


def test_every_refusal_is_listed_with_who_what_and_why(
    server: ApiProcess, admin: Asker, askers: dict[Role, Asker]
) -> None:
    """As soon as it is written, which takes some seconds."""
    askers[Role.VIEWER].refused("PUT", "/policy", 403, "not-allowed", json={"policy": {}})
    askers[Role.CUSTOMER].refused("GET", PIN.format(tenant="globex"), 403, "not-allowed")
    askers[Role.RELEASER].refused("POST", f"{CHANNEL}/rollout/pause", 409, "refused")
    askers[Role.RELEASER].refused("GET", f"{CHANNEL}?color=red", 400, "malformed")
    assert httpx.get(f"{server.url}{PREFIX}/tokens").status_code == 401
    wanted = {
        ("token:a-viewer", "applyPolicy", "not-allowed"),
        ("token:a-customer", "readPin", "not-allowed"),
        ("token:a-releaser", "pauseRollout", "refused"),
        ("token:a-releaser", "readChannel", "malformed"),
        ("", "listTokens", "not-authenticated"),
    }
    for _ in range(100):
        items = admin.get("/refusals", params={"limit": "1000"})["items"]
        if wanted <= {(each["caller"], each["operation"], each["why"]) for each in items}:
            break
        time.sleep(0.2)
    assert wanted <= {(each["caller"], each["operation"], each["why"]) for each in items}
    assert {each["address"] for each in items} == {"127.0.0.1"}
