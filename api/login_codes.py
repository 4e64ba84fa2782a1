"""Codes that a browser takes to a command line which waits there, and that this exchanges for a session."""

import secrets

import structlog

from api.core.access import Caller
from api.core.command_line import CODE_SECONDS, LoginCode, Waiting
from api.core.oidc import code_challenge
from api.core.session import SessionKind
from api.core.token import digest_of_secret
from api.ports import Access
from api.sessions import start_session
from bundles.core.errors import NotAuthenticated

_log = structlog.get_logger()


async def give_code(access: Access, waiting: Waiting, caller: Caller, now: int) -> str:
    """A code of 256 random bits for who has logged in; kept is its digest."""
    code = secrets.token_urlsafe(32)
    kept = LoginCode(digest_of_secret(code), waiting.code_challenge, caller, now + CODE_SECONDS)
    await access.login_codes.add(kept)
    return code


async def redeem_code(access: Access, code: str, verifier: str, now: int) -> str:
    """A session's secret for a code, once, and for who knows the verifier of its challenge (RFC 7636).

    Raises `NotAuthenticated`; whatever is wrong, it says the same.
    """
    caller = await access.login_codes.redeem(digest_of_secret(code), code_challenge(verifier), now)
    if caller is None:
        _log.warning("login code refused")
        raise NotAuthenticated(
            f"the login was used already, took longer than {CODE_SECONDS} seconds or is another's: begin again"
        )
    secret = await start_session(access.sessions, SessionKind.COMMAND_LINE, caller, now)
    _log.info("command line logged in", person=caller.name)
    return secret
