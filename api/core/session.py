"""Sessions: for a while, who has logged in need not do so again."""

import hashlib
import hmac
from enum import StrEnum

import msgspec

from api.core.access import Caller
from bundles.core.digest import Digest
from bundles.core.errors import NotAllowed

COOKIE = "__Host-headrace"
"""A cookie of such a name is taken from HTTPS alone, for one host and all its paths (RFC 6265bis, 4.1.3.2)."""
CSRF_HEADER = "Headrace-CSRF"


class SessionKind(StrEnum):
    """Who has a session: a person's browser, in a cookie, or a person's command line or a pipeline, in
    `Authorization`; not the other way.
    """

    BROWSER = "browser"
    COMMAND_LINE = "command-line"
    PIPELINE = "pipeline"


IN_HEADER = frozenset({SessionKind.COMMAND_LINE, SessionKind.PIPELINE})
OF_PEOPLE = frozenset({SessionKind.BROWSER, SessionKind.COMMAND_LINE})


class SessionRule(msgspec.Struct, frozen=True):
    """How long a session lasts at most, and how long without a request; None for no such limit. In seconds."""

    longest: int
    idle: int | None


RULES = {
    SessionKind.BROWSER: SessionRule(longest=12 * 3600, idle=30 * 60),
    # Longer than a stage of a rollout mostly bakes: who waits for one need not log in again to undo it.
    SessionKind.COMMAND_LINE: SessionRule(longest=12 * 3600, idle=2 * 3600),
    SessionKind.PIPELINE: SessionRule(longest=15 * 60, idle=None),
}


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it is kept. Times are in seconds since the epoch."""

    digest: Digest
    kind: SessionKind
    caller: Caller
    created_at: int
    used_at: int
    idle_seconds: int | None
    ends_at: int

    def is_valid(self, now: int) -> bool:
        """True while it lets its holder in."""
        return now < self.ends_at and (self.idle_seconds is None or now < self.used_at + self.idle_seconds)


def session_cookie(secret: str) -> str:
    """The value of `Set-Cookie` that gives a browser its session: no script and no plain HTTP sees it."""
    longest = RULES[SessionKind.BROWSER].longest
    return f"{COOKIE}={secret}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={longest}"


def ended_cookie() -> str:
    """The value of `Set-Cookie` that takes it away."""
    return f"{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


def csrf_token(secret: str) -> str:
    """What a page of ours sends along with a change, by which it is told from other sites' pages.

    It is made of the session's secret, which those can't read, and tells nothing of it.
    """
    return hmac.new(secret.encode(), b"headrace csrf", hashlib.sha256).hexdigest()


def check_csrf(secret: str, sent: str | None) -> None:
    """Raise `NotAllowed` where a change that a browser sent with its cookie is not of a page of ours."""
    if sent is None or not hmac.compare_digest(csrf_token(secret).encode(), sent.encode()):
        raise NotAllowed(f"a change from a browser needs its session's {CSRF_HEADER}: load the page anew")
