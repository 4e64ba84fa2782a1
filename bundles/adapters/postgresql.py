"""A connection to PostgreSQL, by a URL in libpq's form that no message shows: it may hold a password."""

import re
from collections.abc import Mapping

import asyncpg

from bundles.core.errors import Failed, Invalid

FAULTS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a statement raises where the database does not work; the last one where it is just ending the session."""

CLOSE_SECONDS = 1
"""So long a server may take to say goodbye: one that hangs must not keep who leaves."""

_HOST = r"(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d+)?"
_URL = re.compile(
    rf"(?P<scheme>postgres(?:ql)?://)(?:[^@/?#]*@)?(?P<place>(?:{_HOST}(?:,{_HOST})*)?/[\w.%-]*)(?:\?.*)?",
    re.ASCII,
)


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as asyncpg has it
        try:
            await super().close(timeout=CLOSE_SECONDS if timeout is None else timeout)
        except TimeoutError:
            return  # it is closed all the same


def database_name(url: str) -> str:
    """The URL without user, password and parameters, for messages. Raises `Invalid` for another form."""
    parsed = _URL.fullmatch(url)
    if parsed is None:
        raise Invalid(
            "the database's URL is not understood (it is not shown, since it may hold a password): write"
            " postgresql://USER@HOST:PORT/NAME, with special characters percent-encoded"
        )
    return parsed["scheme"] + parsed["place"]


async def connect(
    url: str,
    *,
    seconds: float,
    answer_seconds: float,
    settings: Mapping[str, str],
    owner: str = "control database",
    remedy: str = "Origins go on serving the last snapshot",
) -> asyncpg.Connection:
    """A session with these settings, whose statements are given up after `answer_seconds`. Raises `Failed`, which
    says by `owner` whose database it is, and by `remedy` what its user has to know.
    """
    name = database_name(url)
    try:
        return await asyncpg.connect(
            url,
            timeout=seconds,
            command_timeout=answer_seconds,
            server_settings=dict(settings),
            connection_class=_Connection,
        )
    except TimeoutError:
        cause = f"no answer within {seconds} seconds"
    except (*FAULTS, ValueError, OverflowError) as error:  # the last one for a port that can't be
        cause = str(error)
    raise Failed(f"can't connect to the {owner} {name}: {cause}. {remedy}")
