"""Notifications: each receiver is told of what the audit trail says has happened, at least once.

How far each was told is in the ledger, so nothing is left out across crashes and changes of leader. Each has a
task of its own: one that is dead or slow keeps nobody else waiting.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing

import anyio
import msgspec
import stamina
import structlog

from bundles.core.errors import HeadraceError
from release.core.audit import Row, open_row
from release.core.notices import Notice, Severity, notice_of, untold_notice
from release.core.receivers import ReceiverOptions
from release.ports import Clock, Kind, Leadership, Ledger, Receiver, Undelivered

MAX_PENDING = 100
"""Of more notices than these a receiver is told the number alone."""
SAVED_EVERY = 1_000
"""So many changes that nobody need be told of are looked at again at most, after a restart."""

_log = structlog.get_logger()


class Told(msgspec.Struct, frozen=True):
    """How far a receiver was told: the last revision, and how many notices were given up until then."""

    revision: int
    given_up: int = 0


TOLD = Kind("notified", Told)


class Patience(msgspec.Struct, frozen=True):
    """How often and how long a receiver is asked, in seconds.

    One attempt has `attempt`. Between two there are at first `first`, and at most `longest` unless it asks for
    more; where it asks, at least `asked` and at most an hour. A notice is given up that is older than `whole`, or
    after `lasting` where the receiver refuses it; whatever its age, it has `lasting`.
    """

    attempt: float = 10
    first: float = 1
    longest: float = 300
    asked: float = 10
    lasting: float = 600
    whole: float = 86_400


PATIENCE = Patience()
_LONGEST_ASKED = 3600.0


class Subscription(msgspec.Struct, frozen=True):
    """A receiver, and what it is told of."""

    options: ReceiverOptions
    receiver: Receiver


async def notify(
    ledger: Ledger,
    clock: Clock,
    leadership: Leadership,
    subscriptions: Iterable[Subscription],
    interval: float,
    patience: Patience = PATIENCE,
) -> None:
    """Tell each of what happens, for ever, as long as this controller leads."""
    async with anyio.create_task_group() as group:
        for each in subscriptions:
            teller = _Teller(ledger, clock, leadership, each, patience)
            group.start_soon(teller.run, interval)


async def send_once(subscription: Subscription, notice: Notice, seconds: float = PATIENCE.attempt) -> str:
    """One attempt; what came back. Raises `Undelivered`, whatever goes wrong."""
    try:
        with anyio.fail_after(seconds):
            return await subscription.receiver.send(notice)
    except Undelivered:
        raise
    except TimeoutError:
        raise Undelivered(f"{subscription.options} did not answer within {seconds:g} seconds") from None
    except Exception as error:  # noqa: BLE001 - no receiver may ever end the controller
        # Not its text, which may have a secret in it.
        raise Undelivered(f"{subscription.options} could not be told: {type(error).__name__}") from None


async def read_told(ledger: Ledger) -> Mapping[str, Told]:
    """How far each receiver was told, by its name; those that are new are not in it."""
    async with ledger.transaction() as transaction:
        return await transaction.documents(TOLD)


class _Deposed(Exception):
    """Another controller leads, and goes on with what is told."""


class _Teller:
    """Tells one receiver."""

    def __init__(
        self, ledger: Ledger, clock: Clock, leadership: Leadership, subscription: Subscription, patience: Patience
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._leadership = leadership
        self._subscription = subscription
        self._patience = patience
        self._name = subscription.options.name
        self._knows_where = False
        self._saved = self._seen = 0

    async def run(self, interval: float) -> None:
        """Look for news at each interval."""
        while True:
            try:
                await self._catch_up()
            except _Deposed:
                self._knows_where = False
            except HeadraceError as error:  # what was told and not saved is not told again by this process
                _log.error("notifications not looked for", receiver=self._name, why=str(error))
            await anyio.sleep(interval)

    async def _catch_up(self) -> None:
        await self._require_leadership()
        with anyio.CancelScope(shield=True):
            if not self._knows_where:
                self._saved = self._seen = await self._begin()
                self._knows_where = True
                _log.info("telling", receiver=self._name, after_revision=self._seen)
            newest, pending = await _look(self._ledger, self._subscription.options, self._seen)
        for notice in pending:
            was_told = await self._tell(notice)
            self._seen = notice.revision
            await self._save(given_up=0 if was_told else 1)
        self._seen = newest
        if newest - self._saved >= SAVED_EVERY:
            await self._save()

    async def _begin(self) -> int:
        """The revision to go on after; for a new receiver, the present one."""
        async with self._ledger.transaction() as transaction:
            told = await transaction.document(TOLD, self._name)
            if told is None:
                told = Told(await transaction.revision())
                await transaction.save_document(TOLD, self._name, told)
        return told.revision

    async def _save(self, given_up: int = 0) -> None:
        """Keep what was seen, also if the controller is being stopped."""
        with anyio.CancelScope(shield=True):
            async with self._ledger.transaction() as transaction:
                before = await transaction.document(TOLD, self._name) or Told(0)
                told = Told(self._seen, before.given_up + given_up)
                await transaction.save_document(TOLD, self._name, told)
            self._saved = self._seen

    async def _tell(self, notice: Notice) -> bool:
        """Try until it is taken. False where it was given up."""
        patience, what = self._patience, {"receiver": self._name, "kind": notice.kind, "notice": notice.id}
        age = max(self._clock.now() - notice.at, 0)
        try:
            async for attempt in stamina.retry_context(
                on=_passing(patience),
                attempts=None,
                timeout=max(patience.whole - age, patience.lasting),
                wait_initial=patience.first,
                wait_max=patience.longest,
                wait_jitter=patience.first,
            ):
                with attempt:
                    await self._require_leadership()
                    answer = await send_once(self._subscription, notice, patience.attempt)
        except Undelivered as error:
            _log.error("notice given up", **what, why=str(error))
            return False
        _log.info("notice told", **what, answer=answer)
        return True

    async def _require_leadership(self) -> None:
        with anyio.CancelScope(shield=True):  # a question that is broken off gives the leadership up
            if not await self._leadership.holds():
                raise _Deposed


def _passing(patience: Patience) -> Callable[[Exception], bool | float]:
    """Whether a fault may pass, or after how many seconds; for one notice, from now on."""
    begun = anyio.current_time()

    def passes(error: Exception) -> bool | float:
        if not isinstance(error, Undelivered):
            return False
        if error.lasting and anyio.current_time() - begun >= patience.lasting:
            return False
        if error.retry_after is None:
            return True
        return min(max(error.retry_after, patience.asked), _LONGEST_ASKED)

    return passes


async def _look(ledger: Ledger, options: ReceiverOptions, after: int) -> tuple[int, list[Notice]]:
    """The present revision, and what the receiver is to be told of after the one that was seen."""
    pending: list[Notice] = []
    count, worst = 0, Severity.INFO
    async with ledger.reading() as reading:
        newest = await reading.revision()
        if newest == after:
            return newest, []
        async with aclosing(reading.trail(after=after)) as rows:
            async for row in rows:
                notice = _notice(row)
                if notice is None or not options.wants(notice):
                    continue
                count += 1
                worst = notice.severity if notice.severity.reaches(worst) else worst
                if count > MAX_PENDING:
                    pending.clear()
                pending.append(notice)
    return newest, pending if count <= MAX_PENDING else [untold_notice(count, worst, pending[-1])]


def _notice(row: Row) -> Notice | None:
    try:
        return notice_of(open_row(row), row.hash)
    except msgspec.MsgspecError:
        _log.error("a damaged row of the audit trail is not told of", revision=row.revision)
        return None
