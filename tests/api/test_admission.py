"""Limits on what one caller and one address may ask, and what is noted of them."""

import ipaddress
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access_log import MOST_ROWS_A_MINUTE, AccessLog
from api.admission import Admission, Asking
from api.authenticate import Credential, Known
from api.chance import new_secret
from api.core import limits as core_limits
from api.core.access import ADMINS, Caller, Grant
from api.core.id_token import IdToken
from api.core.limits import UNKNOWN, Limits, TooMany, address_key
from api.core.refusal import KEPT_SECONDS, OTHERS
from api.core.session import SessionKind, csrf_token
from api.core.token import DAY, Prefix, TokenId, digest_of_secret
from api.perform import Plane
from api.sessions import start_session
from api.tokens import create_token
from bundles.core.errors import NotAllowed, NotAuthenticated
from release.change import Author
from tests.release.conftest import Clock

pytestmark = pytest.mark.anyio

FEW = Limits(reads=6, changes=3, strangers=4)
ADA = Caller("ada", Grant(roles=ADMINS))
ADDRESS = "192.0.2.7"


def asking(authorization: str | None, *, is_change: bool = False, address: str = ADDRESS) -> Asking:
    return Asking(credential=Credential(authorization), address=address, is_change=is_change)


async def token(plane: Plane, name: str = "ci") -> str:
    issued = await create_token(plane.control, name, ADA.grant, DAY, ADA, Author("ada"))
    return f"Bearer {issued.secret}"


def admission(plane: Plane) -> Admission:
    return Admission(plane, AccessLog(plane.access, plane.control.clock), FEW)


async def until_refused(attempt: Callable[[], Awaitable[object]], most: int) -> int:
    """How often it goes before `TooMany`; other refusals count as going."""
    for count in range(most):
        try:
            await attempt()
        except NotAuthenticated:
            continue
        except TooMany:
            return count
    return most


def about(limit: int) -> tuple[int, int]:
    """The limit; where a minute begins meanwhile, one of those in the minute before may count no more."""
    return limit, limit + 1


async def test_a_credential_has_its_limits_and_fewer_changes_than_reads(plane: Plane) -> None:
    gate, first, second = admission(plane), await token(plane), await token(plane, "other")
    assert await until_refused(lambda: gate.admit(asking(first, is_change=True)), 20) in about(FEW.changes)
    assert await until_refused(lambda: gate.admit(asking(first)), 20) in about(FEW.reads)
    with pytest.raises(TooMany) as caught:
        await gate.admit(asking(first, address="198.51.100.1"))  # elsewhere it is the same credential
    assert 1 <= caught.value.retry_after <= 61
    assert f"{caught.value.retry_after} s" in str(caught.value)
    assert (
        await gate.admit(asking(second))
    ).caller.name == "token:other"  # another one at the same address is not


async def test_who_has_no_valid_credential_is_counted_by_address(plane: Plane) -> None:
    gate = admission(plane)
    wrong = [None, "Bearer x", f"Bearer {new_secret(Prefix.TOKEN)}"]
    attempts = iter(wrong * 10)
    assert await until_refused(lambda: gate.admit(asking(next(attempts))), 20) in about(FEW.strangers)
    with pytest.raises(NotAuthenticated):
        await gate.admit(asking(None, address="198.51.100.1"))
    with pytest.raises(TooMany):
        await gate.admit_stranger(ADDRESS)


async def test_nobody_can_shut_out_who_shares_its_address(plane: Plane) -> None:
    gate, valid = admission(plane), await token(plane)
    await until_refused(lambda: gate.admit(asking("Bearer guess")), 20)
    assert (await gate.admit(asking(valid))).caller.name == "token:ci"


async def test_a_flood_of_addresses_fills_no_memory(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.admission.MOST_ADDRESSES", 5)
    gate = admission(plane)
    addresses = iter(f"2001:db8:0:{number:x}::1" for number in range(100))
    assert await until_refused(lambda: gate.admit_stranger(next(addresses)), 30) in about(5 + FEW.strangers)
    await gate.admit_stranger("2001:db8:0:0::2")  # one that was seen before has its own count still
    assert core_limits.MOST_ADDRESSES == 4_096


async def test_a_change_from_a_browser_needs_its_csrf_token(plane: Plane) -> None:
    gate = admission(plane)
    secret = await start_session(plane.access.sessions, SessionKind.BROWSER, ADA, plane.control.clock.now())
    cookie = Credential(cookie=secret)
    forged = Asking(credential=cookie, address=ADDRESS, is_change=True)
    with pytest.raises(NotAllowed, match="load the page anew"):
        await gate.admit(forged)
    sent = Asking(credential=cookie, address=ADDRESS, is_change=True, csrf=csrf_token(secret))
    assert (await gate.admit(sent)).caller == ADA
    assert (await gate.admit(Asking(credential=cookie, address=ADDRESS, is_change=False))).caller == ADA


@given(st.integers(2**64, 2**128 - 1), st.integers(0, 2**64 - 1))
def test_an_address_of_ipv6_is_counted_by_its_network(number: int, host: int) -> None:
    network = number >> 64 << 64
    key = address_key(str(ipaddress.IPv6Address(number)))
    assert key == f"{ipaddress.IPv6Address(network)}/64" == address_key(str(ipaddress.IPv6Address(network | host)))


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", UNKNOWN),
        ("testclient", UNKNOWN),
    ],
)
def test_addresses_are_counted_by(address: str, key: str) -> None:
    assert address_key(address) == key


NOW = 1_800_000_000


async def test_what_was_refused_is_counted_and_kept_for_ninety_days(plane: Plane) -> None:
    log, later = AccessLog(plane.access, Clock(NOW)), AccessLog(plane.access, Clock(NOW + KEPT_SECONDS + 60))
    for _ in range(3):
        log.refused("not-allowed", address=ADDRESS, caller="token:ci", operation="startRollout")
        await log.write()
    (counted,) = await plane.access.refusals.newest(10)
    assert (counted.count, counted.refusal.caller, counted.refusal.minute) == (3, "token:ci", NOW // 60)
    later.refused("not-found", address="", caller="a\0b" + "c" * 200, operation="")
    await later.write()
    await later.keep_up()
    (left,) = await plane.access.refusals.newest(10)
    assert (left.refusal.why, left.refusal.caller[:3], len(left.refusal.caller)) == ("not-found", "a\ufffdb", 100)


async def test_refusals_of_a_minute_are_bounded_and_none_is_lost(plane: Plane) -> None:
    log = AccessLog(plane.access, Clock(NOW))
    for number in range(MOST_ROWS_A_MINUTE + 50):
        log.refused("not-authenticated", address=f"10.0.{number // 250}.{number % 250}")
        if number % 100 == 0:
            await log.write()  # what is written is bounded too, not only what waits
    log.refused("not-allowed", address=ADDRESS, caller="token:ci", operation="startRollout")
    await log.write()
    listed = await plane.access.refusals.newest(1000)
    counts = {(each.refusal.caller, each.refusal.address): each.count for each in listed}
    assert len(listed) == MOST_ROWS_A_MINUTE + 2
    assert counts["", OTHERS] == 50
    assert counts["token:ci", ADDRESS] == 1
    assert sum(counts.values()) == MOST_ROWS_A_MINUTE + 51


async def test_uses_are_noted_once_a_minute(plane: Plane) -> None:
    class Ticking:
        at = NOW

        def now(self) -> int:
            return self.at

    clock, ci = Ticking(), TokenId("0" * 16)
    log = AccessLog(plane.access, clock)
    secret = await start_session(plane.access.sessions, SessionKind.BROWSER, ADA, NOW)
    by_session = Known(ADA, digest_of_secret(secret), SessionKind.BROWSER)
    seen = []
    for clock.at in (NOW, NOW + 59, NOW + 60):
        log.used(Known(ADA, ci))
        log.used(by_session)
        await log.write()
        session = await plane.access.sessions.find(by_session.by)  # type: ignore[arg-type]
        assert session is not None
        seen.append(((await plane.access.uses.last())[ci], session.used_at))
    assert seen == [(NOW, NOW), (NOW, NOW), (NOW + 60, NOW + 60)]


async def test_a_clock_that_is_a_day_ahead_makes_no_id_token_usable_again(plane: Plane) -> None:
    token = IdToken(issuer="https://ci.example", subject="a", expires=NOW + 600, jti="one", claims={})
    assert await plane.access.used_tokens.use(token)
    await AccessLog(plane.access, Clock(NOW + DAY)).keep_up()
    assert not await plane.access.used_tokens.use(token)
    await AccessLog(plane.access, Clock(NOW + 30 * DAY)).keep_up()
    assert await plane.access.used_tokens.use(token), "nothing is known for ever"


async def test_what_is_noted_is_written_when_the_log_stops(plane: Plane) -> None:
    log = AccessLog(plane.access, Clock(NOW))
    async with anyio.create_task_group() as group:
        group.start_soon(log.run)
        await anyio.lowlevel.checkpoint()
        log.refused("malformed", address=ADDRESS)
        group.cancel_scope.cancel()
    assert len(await plane.access.refusals.newest(10)) == 1
