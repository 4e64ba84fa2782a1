"""What is noted of those who ask: when tokens and sessions were used, and what was refused.

It is noted in memory and written every few seconds, so that no answer waits for it.
"""

from collections import Counter

import anyio
import structlog

from api.authenticate import Known
from api.core.limits import address_key
from api.core.refusal import KEPT_SECONDS, OTHERS, Refusal, Refusals
from api.core.token import DAY, LONGEST_SECONDS, TokenId
from api.ports import Access
from bundles.core.digest import Digest
from bundles.core.errors import Failed
from release.core.audit import MAX_ACTOR_LENGTH
from release.core.notices import one_line
from release.ports import Clock

MOST_ROWS_A_MINUTE = 200
"""So many refusals of one minute are told apart of those who are known, and as many of strangers."""
_MOST_WAITING = 2_000
_SECONDS_BETWEEN_WRITES = 5.0
_SECONDS_BETWEEN_USES = 60
_SECONDS_BETWEEN_UPKEEPS = 3600
_MEMORY_SECONDS = 7 * DAY
"""So much longer an ID token that was exchanged is known: a clock that was ahead for days opens it to nobody."""

_log = structlog.get_logger()


class AccessLog:
    """Notes for one process. What could not be written is kept, within bounds, and tried again."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._noted_at: dict[TokenId | Digest, int] = {}
        self._tokens: dict[TokenId, int] = {}
        self._sessions: dict[Digest, int] = {}
        self._refusals: Counter[Refusal] = Counter()
        self._minute = 0
        self._strangers: set[Refusal] = set()
        self._callers: set[Refusal] = set()
        self._kept_up_at = 0

    def used(self, known: Known) -> None:
        """Note that a token or a session was used, once a minute."""
        now = self._clock.now()
        if now < self._noted_at.get(known.by, 0) + _SECONDS_BETWEEN_USES:
            return
        self._noted_at[known.by] = now
        if known.session is None:
            self._tokens[TokenId(known.by)] = now
        else:
            self._sessions[Digest(known.by)] = now

    def refused(self, why: str, *, address: str, caller: str = "", operation: str = "") -> None:
        """Count a refusal: of which caller, "" where nobody is known, and of which operation, "" for none."""
        # A provider's names may have in them what no database takes.
        name = one_line(caller, MAX_ACTOR_LENGTH)
        refusal = Refusal(self._clock.now() // 60, name, address_key(address), operation, why)
        if refusal.minute != self._minute:
            self._minute, self._strangers, self._callers = refusal.minute, set(), set()
        apart = self._callers if caller else self._strangers  # neither hides what the other does
        if refusal not in apart and (len(apart) >= MOST_ROWS_A_MINUTE or len(self._refusals) >= _MOST_WAITING):
            refusal = Refusal(refusal.minute, "", OTHERS, "", why)
        else:
            apart.add(refusal)
        self._refusals[refusal] += 1

    async def write(self) -> None:
        """Write what was noted. Raises `Failed`; what is not written then is noted still."""
        refusals = Counter(self._refusals)
        await self._access.refusals.add([Refusals(refusal, count) for refusal, count in refusals.items()])
        self._refusals -= refusals
        tokens, sessions = dict(self._tokens), dict(self._sessions)
        await self._access.uses.add(tokens)
        self._tokens = {each: at for each, at in self._tokens.items() if tokens.get(each) != at}
        await self._access.sessions.use(sessions)
        self._sessions = {each: at for each, at in self._sessions.items() if sessions.get(each) != at}

    async def keep_up(self) -> None:
        """Forget what is older than it is kept. Raises `Failed`."""
        now = self._clock.now()
        await self._access.refusals.forget(now - KEPT_SECONDS)
        await self._access.sessions.forget(now)
        await self._access.login_codes.forget(now)
        await self._access.used_tokens.forget(now - _MEMORY_SECONDS)
        await self._access.uses.forget(now - LONGEST_SECONDS)  # no token that was used then is valid any more

    async def run(self) -> None:
        """Write every few seconds until cancelled, and then once more."""
        try:
            while True:
                await anyio.sleep(_SECONDS_BETWEEN_WRITES)
                await self._round()
        finally:
            with anyio.CancelScope(shield=True):
                await self._round()

    async def _round(self) -> None:
        now = self._clock.now()
        self._noted_at = {by: at for by, at in self._noted_at.items() if now < at + _SECONDS_BETWEEN_USES}
        try:
            await self.write()
            if now >= self._kept_up_at + _SECONDS_BETWEEN_UPKEEPS:
                await self.keep_up()
                self._kept_up_at = now
        except Failed as error:
            _log.error("access not noted", waiting=len(self._refusals), why=str(error))
