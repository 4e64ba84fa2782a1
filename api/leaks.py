"""Takes back tokens and sessions that somebody has found where others can read them."""

import hmac
from collections.abc import Mapping

from api.core.access import ADMINS, Caller, Grant
from api.core.leak_report import Leak, Reporters, check_reporter, parse_report
from api.core.token import Prefix, digest_of_secret, id_of, prefix_of
from api.perform import Plane
from api.tokens import TOKENS, revoke_token
from bundles.core.digest import Digest
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
    digest = digest_of_secret(leak.token)
    if kind is Prefix.SESSION:
        await plane.access.sessions.end([digest])
    else:
        await _revoke(plane, digest, leak)


async def _revoke(plane: Plane, digest: Digest, leak: Leak) -> None:
    token_id = id_of(digest)
    async with plane.control.ledger.reading() as reading:
        token = await reading.document(TOKENS, token_id)
    if token is None or not hmac.compare_digest(token.digest, digest):
        return
    reason = one_line(f"found at {leak.url or 'a place that was not told'}", MAX_REASON_LENGTH)
    try:
        await revoke_token(plane.control, token_id, _REPORTER, Author(LEAK_REPORT, reason))
    except NotFound:
        return  # somebody else was quicker
