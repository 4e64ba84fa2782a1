"""What is asked of channels, and what the controller does with them by itself."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from bundles.core.names import Product
from bundles.core.version import Version
from release.advance import advance
from release.core import commands as do
from release.core.audit import CONTROLLER
from release.core.names import Channel as ChannelName
from release.smoke import SmokeRun, due_runs, run_smoke_test, runs_of
from tests.release.model import driver
from tests.release.model.choices import (
    BUILDS,
    CHECKED,
    DAY,
    HOUR,
    SAM,
    How,
    ahead,
    chance,
    has_earlier,
    hows,
    is_coming,
    is_live,
    is_paused,
    plans,
)
from tests.release.model.comparison import Comparison
from tests.release.model.plans import Asked
from tests.release.model.requested import Outcome, Who
from tests.release.model.state import Channel


class RolloutRules(Comparison):
    """Rollouts, smoke tests and time."""

    @initialize(released=st.sampled_from([(), ("1.0.0",), ("1.0.0", "1.1.0"), ("1.1.0", "1.0.0", "1.1.1")]))
    def release(self, released: tuple[str, ...]) -> None:
        """What was released before, so that not all runs begin with nothing."""
        for build in released:
            self._start(SAM, "sdk", "stable", build, Asked("100"), supersede=False)
            self._promote(SAM, "sdk", "stable", None)

    @rule(how=hows, where=chance, which=chance, asked=plans)
    def start(self, how: How, where: int, which: int, asked: Asked) -> None:
        product, channel = self._channel(where, lambda found: not is_coming(found))
        self._once(how, self._start, product, channel, self._build(product, channel, which), asked, False)

    @precondition(lambda self: self.is_any(is_coming))
    @rule(how=hows, where=chance, which=chance, asked=plans)
    def supersede(self, how: How, where: int, which: int, asked: Asked) -> None:
        product, channel = self._channel(where, is_coming)
        self._once(how, self._start, product, channel, self._build(product, channel, which), asked, True)

    def _start(self, who: Who, product: str, channel: str, build: str, asked: Asked, supersede: bool) -> None:
        salt, control = self._salt(), self.system.control
        outcome = self.oracle.start(who, product, channel, build, asked, salt, supersede=supersede)
        act = driver.start(control, who, product, channel, build, asked, salt, supersede=supersede)
        self._agree("supersede" if supersede else "start", outcome, act)

    @rule(how=hows, where=chance, which=chance, asked=plans, after=st.sampled_from([0] + [HOUR, DAY] * 3))
    def schedule(self, how: How, where: int, which: int, asked: Asked, after: int) -> None:
        product, channel = self._channel(where, lambda found: not is_coming(found))
        build = self._build(product, channel, which)
        self._once(how, self._schedule, product, channel, build, asked, self.oracle.now + after)

    def _schedule(self, who: Who, product: str, channel: str, build: str, asked: Asked, at: int) -> None:
        salt, control = self._salt(), self.system.control
        outcome = self.oracle.schedule(who, product, channel, build, asked, salt, at)
        self._agree("schedule", outcome, driver.start(control, who, product, channel, build, asked, salt, at=at))

    @precondition(lambda self: self.is_any(is_coming))
    @rule(how=hows, where=chance, to=st.sampled_from([None] * 5 + ["canary", "50", "100%", "done", "77"]))
    def promote(self, how: How, where: int, to: str | None) -> None:
        product, channel = self._channel(where, is_live)
        before = self._on_candidate(product, channel)
        self._once(how, self._promote, product, channel, to)
        live = self.oracle.state.channels.get((product, channel))
        if live is not None and live.rollout is not None:
            self.system.run(self.system.origin.refresh())
            assert self._on_candidate(product, channel) >= before, (
                "a promotion has taken the candidate from someone"
            )

    def _promote(self, who: Who, product: str, channel: str, to: str | None) -> None:
        outcome = self.oracle.promote(who, product, channel, to)
        self._command("promote", outcome, who, product, channel, do.Promote(to=to))

    @precondition(lambda self: self.is_any(is_coming))
    @rule(how=hows, where=chance, which=chance)
    def approve(self, how: How, where: int, which: int) -> None:
        product, channel = self._channel(where, is_live)
        live = self._live(product, channel)
        build = live.candidate if live and which % 5 else self._build(product, channel, which)
        self._once(how, self._approve, product, channel, build)

    def _approve(self, who: Who, product: str, channel: str, build: str) -> None:
        outcome = self.oracle.approve(who, product, channel, build)
        self._command("approve", outcome, who, product, channel, do.Approve(Version(build)))

    @precondition(lambda self: self.is_any(is_live))
    @rule(how=hows, where=chance, resume=st.booleans())
    def pause_or_resume(self, how: How, where: int, resume: bool) -> None:
        product, channel = self._channel(where, is_paused if resume else is_live)
        self._once(how, self._resume if resume else self._pause, product, channel)

    def _pause(self, who: Who, product: str, channel: str) -> None:
        self._command("pause", self.oracle.pause(who, product, channel), who, product, channel, do.Pause())

    def _resume(self, who: Who, product: str, channel: str) -> None:
        self._command("resume", self.oracle.resume(who, product, channel), who, product, channel, do.Resume())

    @precondition(lambda self: self.is_any(is_coming))
    @rule(how=hows, where=chance)
    def abort(self, how: How, where: int) -> None:
        product, channel = self._channel(where, is_coming)
        self._once(how, self._abort, product, channel)

    def _abort(self, who: Who, product: str, channel: str) -> None:
        self._command("abort", self.oracle.abort(who, product, channel), who, product, channel, do.Abort())

    @precondition(lambda self: self.is_any(is_live))
    @rule(where=chance, asked=st.sampled_from([Asked(), CHECKED]), passed=st.booleans())
    def start_over(self, where: int, asked: Asked, passed: bool) -> None:
        """The same candidate again, once it is known how it did."""
        product, channel = self._channel(where, is_live)
        live = self._live(product, channel)
        self.run_smoke_tests(where, True, passed)
        self._abort(SAM, product, channel)
        if live is not None:
            self._start(SAM, product, channel, live.candidate, asked, supersede=False)

    @precondition(lambda self: self.is_any(has_earlier))
    @rule(how=hows, where=chance, which=chance)
    def rollback(self, how: How, where: int, which: int) -> None:
        product, channel = self._channel(where, has_earlier)
        found = self.oracle.state.channels.get((product, channel), Channel())
        known = [None, None, *found.history] if which < 85 else [*BUILDS["sdk"]]
        to = known[which % len(known)]
        self._once(how, self._rollback, product, channel, to)

    def _command(
        self, verb: str, outcome: Outcome, who: Who, product: str, channel: str, wanted: do.Command
    ) -> None:
        self._agree(verb, outcome, driver.command(self.system.control, who, product, channel, wanted))

    def _rollback(self, who: Who, product: str, channel: str, to: str | None) -> None:
        outcome = self.oracle.rollback(who, product, channel, to)
        wanted = do.Rollback(None if to is None else Version(to))
        self._command("rollback", outcome, who, product, channel, wanted)

    @precondition(lambda self: self.is_any(is_live))
    @rule(where=chance, by_hand=st.booleans(), passed=st.sampled_from([True, True, False]))
    def run_smoke_tests(self, where: int, by_hand: bool, passed: bool) -> None:
        """Those that are due, as the controller does, or all of a rollout."""
        if by_hand:
            product, channel = self._channel(where, is_live)
            live = self._live(product, channel)
            outcome = Outcome(frozenset() if live and live.plan.tests else frozenset(["Refused"]))
            act = runs_of(self.system.control, Product(product), ChannelName(channel))
            runs = self._agree("smoke", outcome, act) or []
        else:
            runs = self.system.run(due_runs(self.system.control))
            assert {(run.product, run.channel, run.test.name) for run in runs} == self.oracle.due_tests()
        for run in runs:
            self._run_smoke_test(run, passed)

    def _run_smoke_test(self, run: SmokeRun, passed: bool) -> None:
        runners = driver.smoke_runners(passed=passed)
        outcome = self.system.run(run_smoke_test(self.system.control, runners, run, CONTROLLER))
        assert outcome.passed is passed
        self.oracle.tested(run.product, run.channel, run.test.name, passed=passed)
        self.seen["smoke outcome", str(passed)] += 1

    @rule(seconds=ahead, look=st.booleans())
    def wait(self, seconds: int, look: bool) -> None:
        """Time goes on, and then the controller may look."""
        self._wait(seconds)
        if look:
            self._advance()

    def _advance(self) -> None:
        steps = self.system.run(advance(self.system.control))
        assert {(step.product, step.channel, step.step) for step in steps} == self.oracle.advance()
        for step in steps:
            self.seen["advance", step.step] += 1

    @rule()
    def advance_to_what_is_due(self) -> None:
        """The controller looks at the next time that something is to happen by itself."""
        found = self.oracle.state.channels.values()
        due = [each.scheduled.at for each in found if each.scheduled]
        due += [each.rollout.bakes_until for each in found if each.rollout and each.rollout.bakes_until]
        self._wait(min((at for at in due if at > self.oracle.now), default=self.oracle.now) - self.oracle.now)
        self._advance()

    def _wait(self, seconds: int) -> None:
        self.oracle.now += seconds
        self.system.clock.time = self.oracle.now
