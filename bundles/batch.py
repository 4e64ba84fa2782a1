"""Publish many small builds in one run, such as the content bundles of all tenants."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from enum import StrEnum
from typing import Protocol

import anyio
import anyio.to_thread
import msgspec

from bundles.core.budget import Unmeasured
from bundles.core.errors import Failed, HeadraceError, Invalid, NotAllowed, NotAuthenticated, Refused
from bundles.core.listing import Listed, parse_listed
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.order import Order, Publisher
from bundles.ports import ArtifactSource
from bundles.publish import publish_leased
from bundles.variants import first_known

MAX_BUILD_BYTES = 16 * 1024 * 1024
"""The most that one build of a batch may have, in memory beside others. A larger one is published by itself."""

_AT_A_TIME = 16
_FAILURES_IN_A_ROW = 20


class State(StrEnum):
    """What became of one line: the last three are as the errors of those names."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    MENDED = "mended"
    INVALID = "invalid"
    REFUSED = "refused"
    FAILED = "failed"


class Outcome(msgspec.Struct, frozen=True):
    """What became of one line of the list, by its number. `error` says why no build is there.

    `unmeasured` are the budgets that the build was not held to.
    """

    line: int
    state: State
    product: Product | None = None
    version: Version | None = None
    error: str | None = None
    unmeasured: tuple[Unmeasured, ...] = ()


class Made(Protocol):
    """What came of a publish, as `bundles.publish.Published` has it."""

    @property
    def created(self) -> bool:
        """False where the build was there already."""
        ...

    @property
    def mended(self) -> int:
        """How many of its blobs are whole again."""
        ...

    @property
    def unmeasured(self) -> tuple[Unmeasured, ...]:
        """The budgets that it was not held to."""
        ...


MakeBuild = Callable[[Listed], Awaitable[Made]]
OrderOf = Callable[[Listed], Order]
OpenSource = Callable[[Listed], AbstractContextManager[ArtifactSource]]
Report = Callable[[Outcome], None]


async def publish_batch(
    publisher: Publisher,
    lines: Iterable[tuple[int, bytes]],
    order_of: OrderOf,
    open_source: OpenSource,
    report: Report,
) -> None:
    """Publish each numbered line's build as `publish` does, many at a time.

    Each outcome is reported once, as soon as it is known; one fault stops no other. What exists already is left as
    it is, or mended where it is damaged, so that a run that was broken off is finished by the same list. Raises
    `Failed` where very many fail in a row: the surroundings do not work then.
    """

    async def make(listed: Listed) -> Made:
        with ExitStack() as stack:
            source = await anyio.to_thread.run_sync(stack.enter_context, open_source(listed))
            refuse_large(listed, source)
            order = await anyio.to_thread.run_sync(order_of, listed)
            return await publish_leased(publisher, order, source, lambda _: None)

    async with publisher.store.publishing():
        await work_through(lines, make, _AT_A_TIME, report)


async def work_through(
    lines: Iterable[tuple[int, bytes]], make: MakeBuild, at_a_time: int, report: Report
) -> None:
    """The same with builds that `make` makes, so many at a time."""
    run = _Run(make, report)
    numbered = iter(lines)
    try:
        async with anyio.create_task_group() as group:
            for _ in range(at_a_time):
                group.start_soon(run.work, numbered)
    except ExceptionGroup as faults:
        raise first_known(faults) from faults


def refuse_large(listed: Listed, source: ArtifactSource) -> None:
    """Raise `Invalid` for a build that is too large for a batch."""
    size = sum(source.size(path) for path in source.paths)
    if size > MAX_BUILD_BYTES:
        raise Invalid(
            f"{listed.files} has {size} bytes; the most that a build of a batch may have is"
            f" {MAX_BUILD_BYTES}: publish it by itself"
        )


class _Run:
    """The state of one run."""

    def __init__(self, make: MakeBuild, report: Report) -> None:
        self._make = make
        self._report = report
        self._failures = 0

    async def work(self, numbered: Iterator[tuple[int, bytes]]) -> None:
        """Take line after line, beside others that do so, until none is left."""
        for number, line in numbered:
            outcome = await self._outcome(number, line)
            self._failures = self._failures + 1 if outcome.state is State.FAILED else 0
            self._report(outcome)
            if self._failures >= _FAILURES_IN_A_ROW:
                raise Failed(f"given up after {self._failures} failures in a row, the last: {outcome.error}")

    async def _outcome(self, number: int, line: bytes) -> Outcome:
        try:
            listed = parse_listed(line)
        except Invalid as error:
            return Outcome(number, State.INVALID, error=str(error))
        try:
            made = await self._make(listed)
        except HeadraceError as fault:
            return Outcome(number, _state_of(fault), listed.product, listed.version, str(fault))
        except OSError as error:
            told = f"can't read {listed.files}: {error.strerror}"
            return Outcome(number, State.INVALID, listed.product, listed.version, told)
        state = _state_after(made)
        return Outcome(number, state, listed.product, listed.version, unmeasured=made.unmeasured)


def _state_after(made: Made) -> State:
    if made.created:
        return State.CREATED
    return State.MENDED if made.mended else State.UNCHANGED


def _state_of(fault: HeadraceError) -> State:
    if isinstance(fault, Invalid):
        return State.INVALID
    # Who is not known any more, as a session is that has ended, may do better in another run.
    is_refused = isinstance(fault, Refused | NotAllowed) and not isinstance(fault, NotAuthenticated)
    return State.REFUSED if is_refused else State.FAILED
