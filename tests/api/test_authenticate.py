"""Who asks: by a token or a session, and by nothing else."""

from collections.abc import Callable

import msgspec
import pytest

from api.authenticate import Credential, authenticate
from api.chance import new_secret
from api.core.access import ADMINS, Caller, Grant
from api.core.role import Role
from api.core.session import SessionKind
from api.core.token import DAY, Prefix, digest_of_secret
from api.perform import Plane
from api.sessions import end_session, start_session
from api.tokens import TOKENS, create_token, revoke_token, rotate_token
from bundles.core.errors import NotAuthenticated
from release.change import Author, Subject
from release.policies import EVERY_PRODUCT
from release.ports import Transaction
from tests.release.conftest import at
from tests.support.changes import change

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000
ADMIN, ADA = Caller("ada", Grant(roles=ADMINS)), Author("ada")
GRANT = Grant(roles=frozenset({Role.RELEASER}), products=("sdk",))
KIM = Caller("kim@example.com", GRANT)


def bearer(secret: str) -> Credential:
    return Credential(authorization=f"Bearer {secret}")


async def token(plane: Plane, name: str = "ci") -> str:
    issued = await create_token(at(plane.control, NOW), name, GRANT, 10 * DAY, ADMIN, ADA)
    return str(issued.secret)


async def is_known(plane: Plane, credential: Credential, now: int) -> bool:
    try:
        await authenticate(plane, credential, now)
    except NotAuthenticated:
        return False
    return True


async def test_a_token_says_who_asks(plane: Plane) -> None:
    secret = await token(plane)
    for written in (f"Bearer {secret}", f"bearer  {secret} "):
        known = await authenticate(plane, Credential(written, "a cookie of no matter"), NOW)
        assert (known.caller, known.session) == (Caller("token:ci", GRANT), None)


async def test_a_token_is_known_until_it_ends(plane: Plane) -> None:
    secret = await token(plane)
    assert await is_known(plane, bearer(secret), NOW + 10 * DAY - 1)
    assert not await is_known(plane, bearer(secret), NOW + 10 * DAY)
    known = await authenticate(plane, bearer(secret), NOW)
    issued = await rotate_token(at(plane.control, NOW), known.by, None, DAY, ADMIN, ADA)  # type: ignore[arg-type]
    assert [await is_known(plane, bearer(secret), NOW + each) for each in (DAY - 1, DAY)] == [True, False]
    assert await is_known(plane, bearer(str(issued.secret)), NOW + DAY)
    await revoke_token(plane.control, issued.id, ADMIN, ADA)
    assert not await is_known(plane, bearer(str(issued.secret)), NOW)


async def test_whatever_is_wrong_the_answer_is_the_same(plane: Plane) -> None:
    expired, revoked = await token(plane), await token(plane, "revoked")
    known = await authenticate(plane, bearer(revoked), NOW)
    await revoke_token(plane.control, known.by, ADMIN, ADA)  # type: ignore[arg-type]
    session = await start_session(plane.access.sessions, SessionKind.BROWSER, KIM, NOW)
    never = new_secret(Prefix.TOKEN)
    credentials = [
        Credential(),
        Credential(authorization=""),
        Credential(authorization=f"Basic {expired}"),
        Credential(authorization=expired),
        bearer(expired),
        bearer(revoked),
        bearer(never),
        bearer(never[:-1] + ("0" if never[-1] != "0" else "1")),
        bearer(new_secret(Prefix.SESSION)),
        Credential(cookie=session),
        Credential(cookie=new_secret(Prefix.SESSION)),
        Credential(cookie=expired),
        Credential(authorization="Bearer x", cookie=session),
        Credential(cookie="caf\u00e9"),
    ]
    said = set()
    for credential in credentials:
        with pytest.raises(NotAuthenticated) as caught:
            await authenticate(plane, credential, NOW + 10 * DAY)
        said.add(str(caught.value))
    assert len(said) == 1


async def test_a_token_with_the_same_id_and_another_digest_is_not_it(plane: Plane) -> None:
    """What is found is compared whole."""
    secret = await token(plane)
    digest = digest_of_secret(secret)

    async def alter(transaction: Transaction) -> None:
        kept = await transaction.document(TOKENS, digest[:16])
        assert kept is not None
        other = msgspec.structs.replace(kept, digest=digest[:16] + "0" * 48)
        await transaction.save_document(TOKENS, digest[:16], other)

    await change(plane.control, Subject("token-create", EVERY_PRODUCT, "x"), ADA, alter)
    assert not await is_known(plane, bearer(secret), NOW)


@pytest.mark.parametrize(
    ("kind", "credential", "other"),
    [
        (SessionKind.BROWSER, lambda secret: Credential(cookie=secret), bearer),
        (SessionKind.PIPELINE, bearer, lambda secret: Credential(cookie=secret)),
        (SessionKind.COMMAND_LINE, bearer, lambda secret: Credential(cookie=secret)),
    ],
)
async def test_a_session_counts_where_its_kind_presents_it(
    plane: Plane, kind: SessionKind, credential: Callable[[str], Credential], other: Callable[[str], Credential]
) -> None:
    secret = await start_session(plane.access.sessions, kind, KIM, NOW)
    known = await authenticate(plane, credential(secret), NOW)
    assert (known.caller, known.session) == (KIM, kind)
    assert not await is_known(plane, other(secret), NOW)
    await end_session(plane.access.sessions, secret)
    await end_session(plane.access.sessions, secret)
    assert not await is_known(plane, credential(secret), NOW)


async def test_a_session_ends_when_it_idles_and_in_any_case(plane: Plane) -> None:
    sessions = plane.access.sessions
    secret = await start_session(sessions, SessionKind.BROWSER, KIM, NOW)
    cookie, digest = Credential(cookie=secret), digest_of_secret(secret)
    assert [await is_known(plane, cookie, NOW + each) for each in (1799, 1800)] == [True, False]
    for used in range(1200, 12 * 3600, 1200):
        await sessions.use({digest: NOW + used})
    assert [await is_known(plane, cookie, NOW + 12 * 3600 - each) for each in (1, 0)] == [True, False]
    pipeline = bearer(await start_session(sessions, SessionKind.PIPELINE, KIM, NOW))
    assert [await is_known(plane, pipeline, NOW + each) for each in (899, 900)] == [True, False]
