"""A command line that waits for a login: the loopback redirect of native apps (RFC 8252, section 7.3) with PKCE.

It listens on a port of the machine that the browser is on. Nothing but that port is told of where the answer goes:
no host, no path and no scheme, so that nobody can have it sent elsewhere.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

import msgspec

from api.core.access import Caller
from api.core.problems import Malformed
from bundles.core.digest import Digest

ANSWER_PATH = "/headrace-login"
"""Not `/`: what else listens on a port of this machine has nothing there to answer."""
REFUSED = "access_denied"
"""The `error` of a login that came to nothing (RFC 6749, section 4.1.2.1)."""
CODE_SECONDS = 60

PortField = Annotated[
    int, msgspec.Meta(ge=1024, le=65_535, description="The port of 127.0.0.1 on which a command line waits")
]
StateField = Annotated[
    str,
    msgspec.Meta(
        pattern="^[A-Za-z0-9_-]{22,128}$", max_length=128, description="What the command line knows its answer by"
    ),
]
ChallengeField = Annotated[
    str,
    msgspec.Meta(
        pattern="^[A-Za-z0-9_-]{43}$",
        max_length=43,
        description="The S256 of its verifier (RFC 7636)",
    ),
]


class Waiting(msgspec.Struct, frozen=True):
    """A command line that waits, as it is told by the URL that a browser begins its login with."""

    port: PortField
    state: StateField
    code_challenge: ChallengeField


class LoginCode(msgspec.Struct, frozen=True):
    """What a command line exchanges for a session, as it is kept. `ends_at` is in seconds since the epoch."""

    digest: Digest
    code_challenge: str
    caller: Caller
    ends_at: int


def parse_waiting(given: Mapping[str, str]) -> Waiting | None:
    """The command line that these parameters tell of; None for a browser's own login. Raises `Malformed`."""
    told = {name: given[name] for name in Waiting.__struct_fields__ if name in given}
    if not told:
        return None
    try:
        waiting = msgspec.convert(told, Waiting, strict=False)
    except msgspec.ValidationError as error:
        raise _no_command_line(str(error)) from None
    if not waiting.state.isprintable() or not waiting.code_challenge.isprintable():
        raise _no_command_line("it has a line break")  # `$` lets a last one through
    return waiting


def _no_command_line(why: str) -> Malformed:
    return Malformed(f"that is no command line to log in, begin with `headrace login`: {why}")


def answer_url(waiting: Waiting, answer: Mapping[str, str]) -> str:
    """Where the browser takes the answer: to this machine itself and nowhere else."""
    return f"http://127.0.0.1:{waiting.port}{ANSWER_PATH}?{urlencode({**answer, 'state': waiting.state})}"


def shown_code(code_challenge: str) -> str:
    """What both the command line and the browser's page show, for a person to compare: 40 bits, as `K7QF-2M9P`."""
    text = base64.b32encode(hashlib.sha256(code_challenge.encode()).digest()[:5]).decode()
    return f"{text[:4]}-{text[4:]}"
