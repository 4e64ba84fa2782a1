"""The product and the oracle side by side: both are asked for the same, and all that they say is compared."""

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from itertools import product as pairs
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bundles.core.errors import Conflict, HeadraceError, Invalid, Refused
from bundles.core.names import Product
from release.core.names import Channel as ChannelName
from release.rollouts import ChannelAt
from release.trail import verify_trail
from tests.release.model import driver
from tests.release.model.choices import (
    BUILDS,
    CHANNELS,
    ENVIRONMENTS,
    EVERY_CHANNEL,
    NOW,
    TENANTS,
    WATCHED,
    How,
    Wish,
)
from tests.release.model.oracle import Oracle
from tests.release.model.requested import Outcome, Who
from tests.release.model.state import Channel, Rollout
from tests.release.model.system import System

_KINDS = (Invalid, Refused, Conflict, HeadraceError)


class Comparison(RuleBasedStateMachine):
    """Each rule asks the oracle and the product for the same; what they say and what they leave is compared."""

    runner: ClassVar[asyncio.Runner]
    template: ClassVar[Path]
    folder: ClassVar[Path]
    seen: ClassVar[Counter[tuple[str, str]]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        folder = Path(tempfile.mkdtemp(dir=self.folder)) / "data"
        self.system = System(self.template, folder, self.runner, NOW)
        self.oracle = Oracle(BUILDS, NOW)
        self.sent: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.salts = 0

    def teardown(self) -> None:
        """See that the audit trail is whole, as it is read from a new process."""
        if sys.exception() is None:
            self.system.run(self.system.restart())
            self._check_trail()
        self.system.close()

    @precondition(lambda self: self.sent)
    @rule(place=st.integers(0, 3))
    def send_again(self, place: int) -> None:
        """A request with an idempotency key, one of the last ones."""
        request, asked = self.sent[-1 - place % len(self.sent)]
        revision = self.oracle.revision
        request(*asked)
        self.seen["sent again", "new" if self.oracle.revision > revision else "known"] += 1

    # What always holds

    @invariant()
    def all_agree(self) -> None:
        self.seen["steps", ""] += 1
        oracle, now = self.oracle, self.oracle.now
        answers = {watched: oracle.state.resolve(*watched, now) for watched in WATCHED}
        tables = self.system.run(self.system.tables())
        assert len(tables) == 2 or oracle.revision == 0
        for table in tables:
            assert table.revision == oracle.revision
            for watched, expected in answers.items():
                got = driver.answer(table, *watched, now)
                assert got == expected, watched
                assert (watched[0], got.build) not in oracle.state.blocks | oracle.state.retired
        ledger = tables[0]
        for product in BUILDS:
            for channel in CHANNELS:
                state = ledger.routes(Product(product)).channels.get(ChannelName(channel))
                assert driver.shape(state) == driver.model_shape(oracle.state.channels.get((product, channel)))

    def _check_trail(self) -> None:
        control = self.system.control
        verdict = self.system.run(verify_trail(control.ledger, control.snapshots, control.trusted))
        assert (verdict.revision, verdict.faults) == (self.oracle.revision, ())

    # How requests are made

    def is_any(self, wish: Wish) -> bool:
        """True where there is such a channel."""
        return any(wish(found) for found in self.oracle.state.channels.values())

    def _channel(self, where: int, wish: Wish) -> tuple[str, str]:
        """Most often one that is as wished, where there is one."""
        wished = sorted(place for place, found in self.oracle.state.channels.items() if wish(found))
        return wished[where % len(wished)] if wished and where < 85 else EVERY_CHANNEL[where % len(EVERY_CHANNEL)]

    def _build(self, product: str, channel: str, which: int) -> str:
        """Most often one that could be released."""
        found = self.oracle.state.channels.get((product, channel), Channel())
        gone = (
            self.oracle.state.retired | self.oracle.state.blocks | {(product, each) for each in found.history[-1:]}
        )
        usable = [build for build in BUILDS[product] if (product, build) not in gone]
        return usable[which % len(usable)] if usable and which < 85 else [*BUILDS["sdk"], "9.9.9"][which % 7]

    def _live(self, product: str, channel: str) -> Rollout | None:
        return self.oracle.state.channels.get((product, channel), Channel()).rollout

    def _once(self, how: How, request: Callable[..., None], *asked: Any) -> None:
        expected = None if how.behind is None else self.oracle.revision - how.behind
        who = Who(how.actor, "because" if how.glass else "", expected, how.glass, how.key)
        note(f"{request.__name__} {who} {asked}")
        if how.key is not None:
            self.sent.append((request, (who, *asked)))
        request(who, *asked)

    def _agree(self, verb: str, expected: Outcome, act: Coroutine[Any, Any, Any]) -> Any:
        """What the product gives, which must be what the oracle says; None where it is a fault."""
        given, told = self._told(act)
        self.seen[verb, told or "done"] += 1
        if told is not None:
            assert told in expected.faults, f"{verb}: {given}"
            return None
        assert not expected.faults, f"{verb} was done"
        if isinstance(given, ChannelAt):
            assert given.revision == expected.revision
            assert driver.shape(given.state) == driver.model_shape(expected.channel)
        return given

    def _told(self, act: Coroutine[Any, Any, Any]) -> tuple[Any, str | None]:
        """What is given; or a fault, and of which kind it is."""
        try:
            return self.system.run(act), None
        except HeadraceError as error:
            return error, next(kind.__name__ for kind in _KINDS if isinstance(error, kind))

    def _on_candidate(self, product: str, channel: str) -> set[tuple[str, str]]:
        """Who gets the candidate of a live rollout, by what the origin has."""
        found = self.oracle.state.channels.get((product, channel))
        table = self.system.origin.table
        if found is None or found.rollout is None or table is None:
            return set()
        askers = pairs(TENANTS, ENVIRONMENTS)
        got = {asker: driver.answer(table, product, channel, *asker, self.oracle.now).build for asker in askers}
        return {asker for asker, build in got.items() if build == found.rollout.candidate}

    def _builds_of(self, product: str) -> dict[tuple[str, str], str | None]:
        """What those get who are known by name."""
        state, now = self.oracle.state, self.oracle.now
        return {who: state.resolve(product, "stable", *who, now).build for who in state.named(product)}

    def _salt(self) -> str:
        self.salts += 1
        return f"salt-{self.salts}"
