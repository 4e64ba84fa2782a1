"""What is promised of those who ask the admin API, whatever database they are kept in."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest

from api.core.access import Caller, Grant
from api.core.command_line import LoginCode
from api.core.id_token import LEEWAY_SECONDS, IdToken
from api.core.refusal import Refusal, Refusals
from api.core.role import Role
from api.core.session import Session, SessionKind
from api.core.token import TokenId
from api.ports import Access
from bundles.core.digest import Digest, digest_of
from headrace import wiring
from headrace.access_wiring import access_schema, access_store
from release.adapters.migrations import newest_step
from release.core.names import Tenant

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000
CI, LAPTOP = TokenId("0" * 16), TokenId("f" * 16)
ADA = Caller("ada@example.com", Grant(roles=frozenset({Role.VIEWER, Role.ADMIN}), products=("posthog-*",)))
ACME = Caller("kim", Grant(roles=frozenset({Role.CUSTOMER}), tenant=Tenant("acme")))


@pytest.fixture
async def store(database: str, tmp_path: Path) -> AsyncIterator[Access]:
    """The access database of each kind, empty; in PostgreSQL it is where the ledger is."""
    async with wiring.ledger(tmp_path, database), access_store(tmp_path, database) as opened:
        yield opened


def session(number: int, caller: Caller = ADA, ends_at: int = NOW + 100) -> Session:
    return Session(
        digest=digest_of(b"%d" % number),
        kind=SessionKind.BROWSER if number % 2 else SessionKind.PIPELINE,
        caller=caller,
        created_at=NOW,
        used_at=NOW,
        idle_seconds=60 if number % 2 else None,
        ends_at=ends_at,
    )


def test_the_version_that_is_written_down_is_the_newest_step() -> None:
    assert access_schema().version == newest_step(access_schema())


async def test_of_a_tokens_uses_the_last_one_is_known(store: Access) -> None:
    await store.uses.add({})
    assert await store.uses.last() == {}
    await store.uses.add({CI: NOW, LAPTOP: NOW + 5})
    await store.uses.add({CI: NOW + 60, LAPTOP: NOW + 4})
    assert await store.uses.last() == {CI: NOW + 60, LAPTOP: NOW + 5}
    await store.uses.forget(NOW + 6)
    assert await store.uses.last() == {CI: NOW + 60}


async def test_a_session_is_found_by_its_secrets_digest(store: Access) -> None:
    one, two = session(1), session(2, ACME)
    await store.sessions.add(one)
    await store.sessions.add(two)
    assert [await store.sessions.find(each.digest) for each in (one, two)] == [one, two]
    assert await store.sessions.find(digest_of(b"other")) is None


async def test_a_session_is_used_later_and_never_sooner(store: Access) -> None:
    one = session(1)
    await store.sessions.add(one)
    await store.sessions.use({})
    for at, known in ((NOW + 60, NOW + 60), (NOW + 30, NOW + 60)):
        await store.sessions.use({one.digest: at, Digest("0" * 64): at})
        found = await store.sessions.find(one.digest)
        assert found is not None
        assert found.used_at == known


async def test_sessions_end_when_told_and_are_forgotten_afterwards(store: Access) -> None:
    sessions = [session(number, ends_at=NOW + number) for number in range(4)]
    for each in sessions:
        await store.sessions.add(each)
    assert await store.sessions.end([sessions[3].digest, digest_of(b"other")]) == 1
    assert await store.sessions.end([]) == 0
    await store.sessions.forget(NOW + 2)
    left = [await store.sessions.find(each.digest) for each in sessions]
    assert left == [None, None, sessions[2], None]


async def test_sessions_end_with_the_grant_that_they_were_begun_with(store: Access) -> None:
    grant = Grant(roles=frozenset({Role.VIEWER}))
    callers = {
        1: Caller("bo@example.com", grant, ("group:ops", "group:support")),
        3: Caller("cy@example.com", grant, ("cy@example.com",)),
        5: Caller("oidc:42", grant, ("group:operators",)),
        7: Caller("di@example.com", grant, ("group:ops",)),
        2: Caller("group:ops", grant),
    }
    kinds = {2: SessionKind.PIPELINE, 7: SessionKind.COMMAND_LINE}
    for number, caller in callers.items():
        kind = kinds.get(number, SessionKind.BROWSER)
        await store.sessions.add(msgspec.structs.replace(session(number, caller), kind=kind))
    assert await store.sessions.end_granted("nobody@example.com") == 0
    assert await store.sessions.end_granted("group:ops") == 2
    assert await store.sessions.end_granted("cy@example.com") == 1
    left = [number for number in callers if await store.sessions.find(session(number).digest) is not None]
    assert left == [5, 2]  # one of another group, and a pipeline's


def login_code(number: int, caller: Caller = ADA, ends_at: int = NOW + 60) -> LoginCode:
    return LoginCode(digest_of(b"%d" % number), "challenge", caller, ends_at)


async def test_a_code_is_redeemed_once_in_time_and_for_its_challenge(store: Access) -> None:
    async def redeem(number: int) -> None:
        redeemed[number] = await store.login_codes.redeem(one.digest, "challenge", NOW + 59)

    one = login_code(1)
    await store.login_codes.add(one)
    for challenge, now in (("another", NOW), ("challenge", NOW + 60)):
        assert await store.login_codes.redeem(one.digest, challenge, now) is None
    redeemed: list[Caller | None] = [None] * 5
    async with anyio.create_task_group() as group:
        for number in range(len(redeemed)):
            group.start_soon(redeem, number)
    assert [each for each in redeemed if each is not None] == [ADA]
    assert await store.login_codes.redeem(digest_of(b"other"), "challenge", NOW) is None


async def test_codes_end_with_their_grant_and_are_forgotten_after_their_time(store: Access) -> None:
    grant = Grant(roles=frozenset({Role.VIEWER}))
    callers = {1: Caller("bo@example.com", grant, ("group:ops",)), 2: Caller("cy@example.com", grant), 3: ADA}
    for number, caller in callers.items():
        await store.login_codes.add(login_code(number, caller, NOW + number))
    await store.login_codes.end_granted("nobody@example.com")
    await store.login_codes.end_granted("group:ops")
    await store.login_codes.forget(NOW + 3)
    left = [await store.login_codes.redeem(login_code(each).digest, "challenge", NOW) for each in callers]
    assert left == [None, None, ADA]


def id_token(jti: str, issuer: str = "https://gitlab.com", expires: int = NOW + 300) -> IdToken:
    return IdToken(issuer, "42", expires, jti, {})


async def test_an_id_token_is_used_once_and_remembered_while_it_holds(store: Access) -> None:
    async def use(number: int) -> None:
        uses[number] = await store.used_tokens.use(id_token("1"))

    uses = [False] * 5
    async with anyio.create_task_group() as group:
        for number in range(len(uses)):
            group.start_soon(use, number)
    assert sorted(uses) == [False, False, False, False, True]
    assert await store.used_tokens.use(id_token("2", expires=NOW + 900))
    assert await store.used_tokens.use(id_token("1", "https://gitlab.example.com"))
    await store.used_tokens.forget(NOW + 300 + LEEWAY_SECONDS)
    assert not await store.used_tokens.use(id_token("1"))
    await store.used_tokens.forget(NOW + 300 + LEEWAY_SECONDS + 1)
    assert await store.used_tokens.use(id_token("1"))
    assert not await store.used_tokens.use(id_token("2"))


def refusal(minute: int, caller: str = "", why: str = "not-authenticated") -> Refusal:
    return Refusal(minute, caller, "192.0.2.1", "startRollout", why)


async def test_refusals_that_are_alike_are_counted_together(store: Access) -> None:
    await store.refusals.add([])
    await store.refusals.add([Refusals(refusal(7), 2), Refusals(refusal(7, "token:ci", "not-allowed"), 1)])
    await store.refusals.add([Refusals(refusal(7), 3), Refusals(refusal(8), 1)])
    listed = [
        Refusals(refusal(8), 1),
        Refusals(refusal(7, "token:ci", "not-allowed"), 1),
        Refusals(refusal(7), 5),
    ]
    assert await store.refusals.newest(10) == listed
    assert await store.refusals.newest(2) == listed[:2]
    assert await store.refusals.newest(2, listed[0].refusal) == listed[1:]
    assert await store.refusals.newest(2, listed[2].refusal) == []
    await store.refusals.forget(8 * 60 + 59)
    assert await store.refusals.newest(10) == listed[:1]


async def test_nodes_that_count_at_once_lose_nothing(store: Access) -> None:
    whys = ["not-allowed", "refused", "malformed", "stale", "too-large"]

    async def node(number: int) -> None:
        ordered = whys if number % 2 else whys[::-1]
        for _ in range(5):
            await store.refusals.add([Refusals(refusal(7, why=why), 1) for why in ordered])
            await store.uses.add({CI: NOW + number, LAPTOP: NOW})

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(node, number)
    assert {each.count for each in await store.refusals.newest(100)} == {20}
    assert await store.uses.last() == {CI: NOW + 3, LAPTOP: NOW}


async def test_what_is_kept_is_there_after_a_restart(database: str, tmp_path: Path) -> None:
    for _ in range(2):
        async with access_store(tmp_path, database) as opened:
            await opened.refusals.add([Refusals(refusal(7), 1)])
            listed = await opened.refusals.newest(10)
    assert listed == [Refusals(refusal(7), 2)]
