"""Codes for command lines: of use once, within a minute, and for who has begun the login."""

import anyio
import pytest
from structlog.testing import capture_logs

from api.authenticate import Credential, authenticate
from api.core.access import Caller, Grant
from api.core.command_line import CODE_SECONDS, Waiting, answer_url, parse_waiting, shown_code
from api.core.oidc import code_challenge
from api.core.operation import Terms
from api.core.problems import Malformed
from api.core.role import Role
from api.core.session import RULES, SessionKind
from api.login_codes import give_code, redeem_code
from api.operations.people import RemovePerson
from api.people import set_person
from api.perform import Plane, perform
from api.sessions import end_session
from bundles.core.errors import NotAuthenticated
from release.change import Author

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000
VERIFIER = "v" * 43
WAITING = Waiting(50_000, "s" * 43, code_challenge(VERIFIER))
VIEWER = Grant(roles=frozenset({Role.VIEWER}))
ADA = Caller("ada@example.com", VIEWER, ("ada@example.com",))
BO = Caller("bo@example.com", VIEWER, ("group:ops",))
ADMIN = Caller("sam@example.com", Grant(roles=frozenset({Role.ADMIN})))


def bearer(secret: str) -> Credential:
    return Credential(authorization=f"Bearer {secret}")


async def is_refused(plane: Plane, code: str, verifier: str = VERIFIER, now: int = NOW) -> bool:
    try:
        await redeem_code(plane.access, code, verifier, now)
    except NotAuthenticated:
        return True
    return False


async def test_a_code_becomes_a_session_that_counts_in_a_header_alone(plane: Plane) -> None:
    with capture_logs() as logged:
        code = await give_code(plane.access, WAITING, ADA, NOW)
        secret = await redeem_code(plane.access, code, VERIFIER, NOW + CODE_SECONDS - 1)
    known = await authenticate(plane, bearer(secret), NOW)
    assert (known.caller, known.session) == (ADA, SessionKind.COMMAND_LINE)
    with pytest.raises(NotAuthenticated):
        await authenticate(plane, Credential(cookie=secret), NOW)
    assert [line["event"] for line in logged] == ["command line logged in"]
    assert not any(hidden in str(logged) for hidden in (code, secret, VERIFIER))


async def test_a_session_of_a_command_line_ends_when_it_idles_and_in_any_case(plane: Plane) -> None:
    code = await give_code(plane.access, WAITING, ADA, NOW)
    secret = await redeem_code(plane.access, code, VERIFIER, NOW)
    rule = RULES[SessionKind.COMMAND_LINE]
    assert rule.idle is not None
    assert (await authenticate(plane, bearer(secret), NOW + rule.idle - 1)).caller == ADA
    with pytest.raises(NotAuthenticated):
        await authenticate(plane, bearer(secret), NOW + rule.idle)
    await end_session(plane.access.sessions, secret)
    with pytest.raises(NotAuthenticated):
        await authenticate(plane, bearer(secret), NOW)


async def test_a_code_is_of_use_once_however_many_have_it(plane: Plane) -> None:
    code = await give_code(plane.access, WAITING, ADA, NOW)
    refused = []

    async def redeem() -> None:
        refused.append(await is_refused(plane, code))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(redeem)
    assert sorted(refused) == [False, True, True, True, True]


async def test_a_second_use_ends_nothing(plane: Plane) -> None:
    code = await give_code(plane.access, WAITING, ADA, NOW)
    secret = await redeem_code(plane.access, code, VERIFIER, NOW)
    assert await is_refused(plane, code)
    assert (await authenticate(plane, bearer(secret), NOW)).caller == ADA


async def test_who_has_a_code_and_not_its_verifier_gets_nothing_and_takes_nothing(plane: Plane) -> None:
    code = await give_code(plane.access, WAITING, ADA, NOW)
    for verifier in ("w" * 43, WAITING.code_challenge, ""):
        assert await is_refused(plane, code, verifier)
    assert not await is_refused(plane, code)


async def test_a_code_is_of_no_use_after_its_minute_nor_once_it_is_forgotten(plane: Plane) -> None:
    code = await give_code(plane.access, WAITING, ADA, NOW)
    assert await is_refused(plane, code, now=NOW + CODE_SECONDS)
    await plane.access.login_codes.forget(NOW + CODE_SECONDS)
    assert not await is_refused(plane, code)
    kept = await give_code(plane.access, WAITING, ADA, NOW)
    await plane.access.login_codes.forget(NOW + CODE_SECONDS + 1)
    assert await is_refused(plane, kept)


async def test_a_grant_that_is_taken_away_ends_its_codes_and_sessions_and_no_others(plane: Plane) -> None:
    author = Author(ADMIN.name)
    for person in ("ada@example.com", "group:ops"):
        await set_person(plane.control, person, VIEWER, ADMIN, author)
    codes = [await give_code(plane.access, WAITING, caller, NOW) for caller in (ADA, BO, ADA, BO)]
    sessions = [await redeem_code(plane.access, code, VERIFIER, NOW) for code in codes[:2]]
    await perform(plane, ADMIN, RemovePerson(person="group:ops"), Terms())
    assert [await is_refused(plane, code) for code in codes[2:]] == [False, True]
    assert (await authenticate(plane, bearer(sessions[0]), NOW)).caller == ADA
    with pytest.raises(NotAuthenticated):
        await authenticate(plane, bearer(sessions[1]), NOW)


ASKED = {"port": "50000", "state": "s" * 43, "code_challenge": "c" * 43}


def test_the_answer_goes_to_this_machine_alone() -> None:
    waiting = parse_waiting({**ASKED, "redirect_uri": "https://evil.example", "host": "evil.example"})
    assert waiting is not None
    assert answer_url(waiting, {"code": "a&b"}) == (
        f"http://127.0.0.1:50000/headrace-login?code=a%26b&state={ASKED['state']}"
    )
    assert parse_waiting({"redirect_uri": "https://evil.example", "iss": "x"}) is None


@pytest.mark.parametrize(
    "changed",
    [
        *({"port": port} for port in ("", "80", "1023", "65536", "-1", "50000@evil.example", "1.5", "x", "0x50")),
        *({"state": state} for state in ("", "short", "s" * 129, "s" * 43 + "\n", "s" * 42 + "&", "s" * 42 + "é")),
        *({"code_challenge": each} for each in ("", "c" * 42, "c" * 44, "c" * 43 + "\n", "c" * 42 + "=")),
    ],
    ids=str,
)
def test_what_is_no_command_line_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(Malformed, match="no command line"):
        parse_waiting(ASKED | changed)
    (name,) = changed
    with pytest.raises(Malformed, match="no command line"):
        parse_waiting({each: value for each, value in ASKED.items() if each != name})


def test_the_code_that_is_compared_tells_two_logins_apart() -> None:
    shown = [shown_code(code_challenge(verifier)) for verifier in ("v" * 43, "w" * 43)]
    assert len(set(shown)) == 2
    assert all(len(each) == 9 and each[4] == "-" for each in shown)
