"""A running API whose PostgreSQL is killed, hangs and comes back: what it says meanwhile, and what was made."""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from api.chance import new_secret
from api.core.role import Role
from api.core.token import Prefix
from tests.support.api import Asker, make_tokens
from tests.support.postgresql import PostgresServer
from tests.support.processes import ApiProcess, api
from tests.support.way import Way, way_to

PIN = "/products/sdk/pins/{tenant}/production"
IMPATIENT = """
import sys
from api import probes
from bundles.adapters import postgresql
from release.adapters import postgresql_database
postgresql_database.PING_SECONDS = postgresql_database.CONNECT_SECONDS = probes.READY_SECONDS = 1
postgresql_database.ANSWER_SECONDS = 3
postgresql.CLOSE_SECONDS = 0.2
from headrace.cli import main
sys.exit(main())
"""
"""The command as it is, with time-outs that a test can wait for."""
PROMPT_SECONDS = 25
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def server(postgresql: PostgresServer) -> Iterator[PostgresServer]:
    """The server, which is up again when all tests here have ended."""
    yield postgresql
    postgresql.ensure_running()


@pytest.fixture(scope="module")
def database(server: PostgresServer) -> str:
    """A control database with nothing in it yet."""
    return server.new_database()


@pytest.fixture(scope="module")
def tokens(api_data: Path, database: str) -> dict[Role, str]:
    """A token of each role."""
    shutil.rmtree(api_data / "snapshots")
    return make_tokens(api_data, database=database)


@pytest.fixture(scope="module")
def way(server: PostgresServer) -> Iterator[Way]:
    with way_to(server.port) as opened:
        yield opened


@pytest.fixture(scope="module")
def process(api_data: Path, tokens: dict[Role, str], database: str, way: Way) -> Iterator[ApiProcess]:
    """An API that reaches the server by that way, and is never started again. It stops while that hangs."""
    del tokens  # they are made by the command line, before
    port = urlsplit(database).port
    reached = database.replace(f":{port}/", f":{way.port}/")
    options = ("--database", reached, "--changes", "100000", "--reads", "100000")
    with api(api_data, *options, command=(sys.executable, "-c", IMPATIENT)) as running:
        yield running
        way.hang()


@pytest.fixture
def asker(tokens: dict[Role, str], process: ApiProcess, way: Way) -> Iterator[Asker]:
    """An admin, for whom the way is open at first."""
    way.resume()
    with httpx.Client(timeout=PROMPT_SECONDS) as http:
        admin = Asker(http, process.url, tokens[Role.ADMIN])
        admin.ask("POST", "/products/sdk/channels/stable/rollout", json={"candidate": "1.1.0", "stages": "100"})
        yield admin


def see_away(process: ApiProcess, asker: Asker) -> None:
    """All that needs the database is refused as such, within the client's time; all else goes on."""
    pin = PIN.format(tenant="acme")
    for method, path, parts in (
        ("GET", "/me", {}),
        ("GET", "/products/sdk/pins", {}),
        ("PUT", pin, {"json": {"target": "1.1.0"}}),
    ):
        told = asker.refused(method, path, 503, "failed", **parts)
        assert "postgresql" not in told["detail"], "nobody is known now"
    unknown = Asker(asker.http, asker.server, new_secret(Prefix.TOKEN))
    unknown.refused("GET", "/me", 503, "failed")
    Asker(asker.http, asker.server, "none").refused("GET", "/me", 401, "not-authenticated")
    asker.get("/openapi.json")
    asker.refused("GET", "/nowhere", 404, "not-found")
    assert httpx.get(f"{process.probes}/healthz").status_code == 200
    ready = httpx.get(f"{process.probes}/readyz")
    assert (ready.status_code, ready.text) == (503, "the control database does not answer\n")
    assert any("postgresql://" in line.get("why", "") for line in process.log if line["event"] == "request failed")


def see_back(process: ApiProcess, asker: Asker) -> None:
    """Within seconds, all is as ever."""
    wait_until(lambda: httpx.get(f"{process.probes}/readyz").status_code == 200)
    assert asker.ask("PUT", PIN.format(tenant="zeta"), json={"target": "1.1.0"}).status_code == 200
    assert asker.get("/me")["name"] == "token:a-admin"
    assert asker.get("/audit/verdict")["faults"] == []


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def reasons(asker: Asker) -> Counter[str]:
    """Of all changes, however often each was made."""
    found: Counter[str] = Counter()
    cursor: str | None = ""
    while cursor is not None:
        page = asker.get("/changes", params={"limit": "1000", **({"cursor": cursor} if cursor else {})})
        found.update(each["reason"] for each in page["items"])
        cursor = page["next"]
    return found


def test_a_server_that_is_killed_is_told_and_used_again_once_it_is_back(
    process: ApiProcess, asker: Asker, server: PostgresServer
) -> None:
    asker.get("/me")
    server.kill()
    see_away(process, asker)
    server.start()
    see_back(process, asker)


def test_a_server_that_does_not_answer_is_told_in_time_and_used_again(
    process: ApiProcess, asker: Asker, way: Way
) -> None:
    with ThreadPoolExecutor(8) as many:  # as many connections wait in the pool
        for each in [many.submit(asker.get, "/me") for _ in range(32)]:
            each.result()
        way.hang()
        hung = [many.submit(asker.refused, "GET", "/me", 503, "failed") for _ in range(8)]
        for refused in hung:
            refused.result()
    see_away(process, asker)
    way.resume()
    see_back(process, asker)


@pytest.mark.parametrize("is_sent", [True, False])
def test_a_change_whose_commit_is_not_answered_is_made_once(
    is_sent: bool, asker: Asker, way: Way, server: PostgresServer
) -> None:
    """Be it that the answer is lost, or that the commit reaches the server late."""
    change = {
        "json": {"target": "1.1.0", "reason": f"sent {is_sent}"},
        "headers": {"idempotency-key": f"{is_sent}"},
    }
    pin = PIN.format(tenant="acme")
    server.end_connections()  # on a new one the statements are sent in full
    way.hang_at(b"COMMIT", after=b"INSERT INTO audit", is_sent=is_sent)
    told = asker.refused("PUT", pin, 503, "failed", **change)
    assert "may be made or not" in told["detail"]
    assert "again with its idempotency key" in told["detail"]
    way.resume()
    assert asker.ask("PUT", pin, **change).json()["target"] == "1.1.0"
    assert reasons(asker)[f"sent {is_sent}"] == 1
    assert asker.get(pin)["target"] == "1.1.0"
    assert asker.get("/audit/verdict")["faults"] == []


def test_each_change_is_made_once_however_often_the_server_is_killed(
    process: ApiProcess, asker: Asker, server: PostgresServer
) -> None:
    """Each is sent, with a key of its own, until it is answered as made; there are always some under way."""
    made: list[str] = []
    away = 0
    is_over = False

    def write(writer: str) -> None:
        nonlocal away
        number = 0
        while not is_over:
            reason = f"{writer} {number}"
            change = {"json": {"target": "1.1.0", "reason": reason}, "headers": {"idempotency-key": reason}}
            answer = asker.ask("PUT", PIN.format(tenant=writer), **change)
            if answer.status_code == 200:
                made.append(reason)
                number += 1
            else:
                assert answer.status_code == 503, answer.text
                away += 1
                time.sleep(0.05)

    with ThreadPoolExecutor(4) as writers:
        running = [writers.submit(write, f"w{each}") for each in range(4)]
        try:
            for _ in range(3):
                enough = len(made) + 8
                wait_until(lambda: len(made) >= enough or any(each.done() for each in running))  # noqa: B023
                server.kill()
                server.start()
        finally:
            is_over = True
        for each in running:
            each.result()
    assert away > 0
    counts = reasons(asker)
    assert {counts[reason] for reason in made} == {1}
    assert max(count for reason, count in counts.items() if reason) == 1
    see_back(process, asker)
