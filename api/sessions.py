"""Sessions: begin one for who has logged in, and end it."""

from api.chance import new_secret
from api.core.access import Caller
from api.core.session import RULES, Session, SessionKind
from api.core.token import Prefix, digest_of_secret
from api.ports import Access, Sessions


async def start_session(sessions: Sessions, kind: SessionKind, caller: Caller, now: int) -> str:
    """The secret of a new session, which is not kept."""
    secret, rule = new_secret(Prefix.SESSION), RULES[kind]
    session = Session(
        digest=digest_of_secret(secret),
        kind=kind,
        caller=caller,
        created_at=now,
        used_at=now,
        idle_seconds=rule.idle,
        ends_at=now + rule.longest,
    )
    await sessions.add(session)
    return secret


async def end_granted(access: Access, person: str) -> None:
    """End all that was begun with the grant of this person or group.

    Codes come first: one that is redeemed meanwhile has become a session by then.
    """
    await access.login_codes.end_granted(person)
    await access.sessions.end_granted(person)


async def end_session(sessions: Sessions, secret: str) -> None:
    """End a session at once; one that has ended stays so."""
    await sessions.end([digest_of_secret(secret)])
