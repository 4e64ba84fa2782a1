"""Takes back tokens and sessions that somebody has found where others can read them."""

from collections.abc import Mapping

from api.core.access import ADMINS, Caller, Grant
from api.core.leak_report import Leak, Reporters, check_reporter, parse_report
from api.core.token import Prefix, prefix_of
from api.perform import Plane
from api.sessions import end_session
from api.tokens import find_token, revoke_token
from bundles.core.errors import Failed, NotFound
from release.change import Author
from release.core.audit import LEAK_REPORT
from release.core.notices import one_line
from release.core.routing import MAX_REASON_LENGTH

_REPORTER = Caller(LEAK_REPORT, Grant(roles=ADMINS))


async def report_leaks(plane: Plane, reporters: Reporters, headers: Mapping[str, str], body: bytes) -> None:
    """Revoke every token that the report has found, and end every session. Others are none of ours.

    What was found is not told: who asks does not learn which secrets are valid. Raises `NotAuthenticated` for a
    report that nobody known has signed, `Invalid` for what is none, and `Failed` where one could not be revoked,
    after all the others were: send it again.
    """
    check_reporter(reporters, headers, body, plane.control.clock.now())
    fault: Failed | None = None
    for leak in parse_report(body):
        try:
            await _take_back(plane, leak)
        except Failed as error:
            fault = error
    if fault is not None:
        raise fault


async def _take_back(plane: Plane, leak: Leak) -> None:
    kind = prefix_of(leak.token)
    if kind is None:
        return
    if kind is Prefix.SESSION:
        await end_session(plane.access.sessions, leak.token)
    else:
        await _revoke(plane, leak)


async def _revoke(plane: Plane, leak: Leak) -> None:
    found = await find_token(plane.control, leak.token)
    if found is None:
        return
    reason = one_line(f"found at {leak.url or 'a place that was not told'}", MAX_REASON_LENGTH)
    try:
        await revoke_token(plane.control, found[0], _REPORTER, Author(LEAK_REPORT, reason))
    except NotFound:
        return  # somebody else was quicker
