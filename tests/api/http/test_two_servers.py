"""Two admin APIs on one PostgreSQL database, asked at the same time."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import anyio
import httpx
import pytest

from api.core.role import Role
from headrace import wiring
from release.core.routing import RoutingTable
from release.snapshot import read_table
from tests.support.api import Asker, make_tokens
from tests.support.postgresql import PostgresServer
from tests.support.processes import api

Both = tuple[Asker, Asker]
T = TypeVar("T")
ROUNDS = 5


@pytest.fixture(scope="module")
def database(postgresql: PostgresServer) -> str:
    return postgresql.new_database()


@pytest.fixture(scope="module")
def both(api_data: Path, database: str) -> Iterator[Both]:
    """An admin at each of them."""
    shutil.rmtree(api_data / "snapshots")
    token = make_tokens(api_data, database=database)[Role.ADMIN]
    options = ("--database", database, "--reads", "100000", "--changes", "100000")
    with api(api_data, *options) as one, api(api_data, *options) as two, httpx.Client(timeout=60) as http:
        here, there = Asker(http, one.url, token), Asker(http, two.url, token)
        body = {"candidate": "1.0.0", "stages": "100"}
        assert here.ask("POST", "/products/sdk/channels/stable/rollout", json=body).status_code == 201
        yield here, there


def at_once(both: Both, ask: Callable[[Asker], T]) -> list[T]:
    """What each of them answers, asked at the same time, several times each."""
    with ThreadPoolExecutor(6) as many:
        return [each.result() for each in [many.submit(ask, asker) for asker in both * 3]]


def revision_of(asker: Asker) -> int:
    revision: int = asker.get("/audit/verdict")["revision"]
    return revision


def test_a_token_that_one_revokes_is_refused_by_the_other_at_its_next_request(both: Both) -> None:
    here, there = both
    made = here.ask("POST", "/tokens", json={"name": "short", "roles": ["viewer"]}).json()
    viewer = Asker(there.http, there.server, made["secret"])
    for _ in range(3):
        assert viewer.ask("GET", "/me").status_code == 200
    assert here.ask("DELETE", f"/tokens/{made['token']['id']}").status_code == 200
    viewer.refused("GET", "/me", 401, "not-authenticated")


def test_of_changes_that_expect_the_same_revision_one_is_made(both: Both) -> None:
    here, there = both
    for turn in range(ROUNDS):
        read = here.get("/products/sdk/channels/stable")["revision"] if turn == 0 else revision_of(there)
        change = {"json": {"target": "1.0.0"}, "headers": {"if-match": f'"{read}"'}}
        told = at_once(both, lambda asker: asker.ask("PUT", "/products/sdk/pins/a/production", **change))  # noqa: B023
        assert sorted(answer.status_code for answer in told) == [200, *[412] * 5]
        assert revision_of(here) == read + 1


def test_the_same_change_with_one_key_is_made_once_wherever_it_is_sent(both: Both) -> None:
    for turn in range(ROUNDS):
        before = revision_of(both[0])
        change = {"json": {"target": "1.0.0"}, "headers": {"idempotency-key": f"turn {turn}"}}
        told = at_once(both, lambda asker: asker.ask("PUT", "/products/sdk/pins/b/production", **change))  # noqa: B023
        assert {(answer.status_code, answer.text) for answer in told} == {(200, told[0].text)}
        assert revision_of(both[1]) == before + 1


def test_changes_through_both_are_made_one_after_the_other(both: Both, api_data: Path, database: str) -> None:
    before = revision_of(both[0])

    def write(asker: Asker) -> None:
        for _ in range(ROUNDS):
            answer = asker.ask("PUT", "/products/sdk/pins/c/production", json={"target": "1.0.0"})
            assert answer.status_code == 200, answer.text

    at_once(both, write)
    verdicts = [asker.get("/audit/verdict") for asker in both]
    assert verdicts[0] == verdicts[1]
    assert verdicts[0]["faults"] == []
    assert verdicts[0]["revision"] == before + 6 * ROUNDS

    async def served() -> RoutingTable | None:
        async with wiring.snapshot_store(api_data, database) as snapshots:
            return await read_table(snapshots, wiring.trusted_keys(api_data))

    table = anyio.run(served)
    assert table is not None
    assert table.revision == verdicts[0]["revision"]
