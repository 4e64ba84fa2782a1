"""Rollouts and what the controller does by itself (docs/rollouts.md, docs/smoke-tests.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tests.release.model.plans import Asked, Plan, by_policy, place_of, read_plan
from tests.release.model.policy import is_frozen, rules_for
from tests.release.model.requested import INVALID, REFUSED, Outcome, Requests, Who
from tests.release.model.state import Channel, Rollout, Scheduled

CONTROLLER = "controller"


class Rollouts(Requests):
    """The commands of a channel."""

    def plan(self, product: str, channel: str, asked: Asked) -> Plan | None:
        """The plan that a rollout would have; None where it makes no sense."""
        return read_plan(by_policy(asked, self._rollout_rule(product, channel)))

    def salt(self, product: str, channel: str, drawn: str) -> str:
        """The channel's own salt, or else the one that was drawn."""
        return str(self._rollout_rule(product, channel).get("salt", drawn))

    def start(
        self, who: Who, product: str, channel: str, build: str, asked: Asked, drawn: str, *, supersede: bool
    ) -> Outcome:
        """`drawn` is a new salt."""
        plan, salt = self.plan(product, channel, asked), self.salt(product, channel, drawn)
        if plan is None:
            return Outcome(frozenset([INVALID]))
        found = self.state.channels.get((product, channel), Channel())
        present = found.rollout or found.scheduled

        def faults() -> Iterator[str]:
            yield from self._candidate_faults(who, product, channel, build, plan)
            if self._is_frozen(who, product, channel):
                yield REFUSED
            if (present is None) == supersede or (supersede and present and present.candidate == build):
                yield REFUSED

        def apply() -> None:
            kept = present.salt if present else salt
            rollout = Rollout(build, plan, kept, self.now, who.actor)
            self.state.channels[product, channel] = Channel(found.history, rollout)

        return self._try(
            who, ("start", product, channel, build, plan, supersede), faults, apply, (product, channel)
        )

    def schedule(
        self, who: Who, product: str, channel: str, build: str, asked: Asked, drawn: str, at: int
    ) -> Outcome:
        """Begin at this time or later."""
        plan, salt = self.plan(product, channel, asked), self.salt(product, channel, drawn)
        if plan is None:
            return Outcome(frozenset([INVALID]))
        found = self.state.channels.get((product, channel), Channel())

        def faults() -> Iterator[str]:
            yield from self._candidate_faults(who, product, channel, build, plan)
            if at <= self.now:
                yield INVALID
            if found.rollout or found.scheduled:
                yield REFUSED

        def apply() -> None:
            scheduled = Scheduled(build, plan, salt, at, who.actor)
            self.state.channels[product, channel] = Channel(found.history, scheduled=scheduled)

        return self._try(who, ("schedule", product, channel, build, plan, at), faults, apply, (product, channel))

    def promote(self, who: Who, product: str, channel: str, to: str | None = None) -> Outcome:
        """By one stage, or to a later one."""

        def apply() -> None:
            found = self.state.channels[product, channel]
            rollout = self._rolling(product, channel)
            place = _following(rollout, to)
            if place == len(rollout.plan.stages):
                earlier = [build for build in found.history if build != rollout.candidate]
                self.state.channels[product, channel] = Channel([*earlier, rollout.candidate])
            else:
                self._set(product, channel, replace(rollout, place=place, since=self.now))

        def faults() -> Iterator[str]:
            yield from self._live_faults(product, channel)
            if (rollout := self._live(product, channel)) is not None:
                yield from self._promotion_faults(who, product, channel, rollout)
                yield from self._stage_faults(rollout, to)

        return self._try(who, ("promote", product, channel, to), faults, apply, (product, channel))

    def approve(self, who: Who, product: str, channel: str, build: str) -> Outcome:
        """By someone else than the author."""

        def faults() -> Iterator[str]:
            yield from self._live_faults(product, channel)
            rollout = self._live(product, channel)
            if rollout and (rollout.candidate != build or rollout.author == who.actor or rollout.approved_by):
                yield REFUSED

        def apply() -> None:
            self._set(product, channel, replace(self._rolling(product, channel), approved_by=who.actor))

        return self._try(who, ("approve", product, channel, build), faults, apply, (product, channel))

    def pause(self, who: Who, product: str, channel: str) -> Outcome:
        """Hold the rollout."""

        def faults() -> Iterator[str]:
            yield from self._live_faults(product, channel)
            rollout = self._live(product, channel)
            if rollout and rollout.paused:
                yield REFUSED

        def apply() -> None:
            self._set(product, channel, replace(self._rolling(product, channel), paused=True))

        return self._try(who, ("pause", product, channel), faults, apply, (product, channel))

    def resume(self, who: Who, product: str, channel: str) -> Outcome:
        """Go on; the bake time begins again."""

        def faults() -> Iterator[str]:
            yield from self._live_faults(product, channel)
            rollout = self._live(product, channel)
            if rollout and (not rollout.paused or self._is_frozen(who, product, channel)):
                yield REFUSED

        def apply() -> None:
            resumed = replace(self._rolling(product, channel), paused=False, since=self.now)
            self._set(product, channel, resumed)

        return self._try(who, ("resume", product, channel), faults, apply, (product, channel))

    def abort(self, who: Who, product: str, channel: str) -> Outcome:
        """In any state, and in any freeze."""

        def faults() -> Iterator[str]:
            found = self.state.channels.get((product, channel))
            if found is None:
                yield INVALID
            elif not found.rollout and not found.scheduled:
                yield REFUSED

        def apply() -> None:
            self.state.channels[product, channel] = Channel(self.state.channels[product, channel].history)

        return self._try(who, ("abort", product, channel), faults, apply, (product, channel))

    def rollback(self, who: Who, product: str, channel: str, to: str | None) -> Outcome:
        """To an earlier stable build; without a name, to what everyone had before the latest change."""
        found = self.state.channels.get((product, channel), Channel())
        earlier = found.history if found.rollout else found.history[:-1]
        usable = [build for build in earlier if (product, build) not in self.state.blocks]
        target = to or (usable[-1] if usable else None)

        def faults() -> Iterator[str]:
            if (product, channel) not in self.state.channels:
                yield INVALID
            if target not in found.history or (product, target) in self.state.blocks:
                yield REFUSED
            if found.history[-1:] == [target] and not found.rollout:
                yield REFUSED

        def apply() -> None:
            kept = found.history[: found.history.index(str(target)) + 1]
            self.state.channels[product, channel] = Channel(kept)

        return self._try(who, ("rollback", product, channel, to), faults, apply, (product, channel))

    def advance(self) -> set[tuple[str, str, str]]:
        """What is begun and promoted, where it may."""
        steps = set()
        by_itself = Who(CONTROLLER)
        for (product, channel), found in list(self.state.channels.items()):
            scheduled, rollout = found.scheduled, found.rollout
            if scheduled and scheduled.at <= self.now and self._may_begin(product, channel, scheduled):
                begun = Rollout(scheduled.candidate, scheduled.plan, scheduled.salt, self.now, scheduled.author)
                self.state.channels[product, channel] = Channel(found.history, begun)
                self.revision += 1
                steps.add((product, channel, "begun"))
            elif rollout and rollout.bakes_until is not None and rollout.bakes_until <= self.now:
                promoted = self.promote(by_itself, product, channel)
                steps |= set() if promoted.faults else {(product, channel, "promoted")}
        return steps

    def due_tests(self) -> set[tuple[str, str, str]]:
        """The smoke tests that the controller runs: those in staging that have not run."""
        return {
            (product, channel, test)
            for (product, channel), found in self.state.channels.items()
            if found.rollout and found.rollout.plan.stages[found.rollout.place].kind == "staging"
            if (product, found.rollout.candidate) not in self.state.blocks
            for test in found.rollout.plan.tests
            if test not in found.rollout.smoke
        }

    def tested(self, product: str, channel: str, test: str, *, passed: bool) -> None:
        """What came of a smoke test of a live rollout: one revision."""
        self._rolling(product, channel).smoke[test] = passed
        self.revision += 1

    def _promotion_faults(self, who: Who, product: str, channel: str, rollout: Rollout) -> Iterator[str]:
        if rollout.paused or (product, rollout.candidate) in self.state.blocks:
            yield REFUSED
        if self._is_frozen(who, product, channel):
            yield REFUSED
        if self._needs_approval(who, product, channel) and rollout.approved_by is None:
            yield REFUSED
        is_staging = rollout.plan.stages[rollout.place].kind == "staging"
        if is_staging and not who.glass and any(not rollout.smoke.get(test) for test in rollout.plan.tests):
            yield REFUSED

    def _stage_faults(self, rollout: Rollout, to: str | None) -> Iterator[str]:
        if to is not None and place_of(rollout.plan, to) is None:
            yield INVALID
        elif _following(rollout, to) <= rollout.place:
            yield REFUSED

    def _candidate_faults(self, who: Who, product: str, channel: str, build: str, plan: Plan) -> Iterator[str]:
        if build not in self._standing(product):
            yield INVALID
        if (product, build) in self.state.blocks:
            yield REFUSED
        if self.state.channels.get((product, channel), Channel()).history[-1:] == [build]:
            yield REFUSED
        if self._needs_approval(who, product, channel) and plan.stages[0].kind != "staging":
            yield REFUSED

    def _may_begin(self, product: str, channel: str, scheduled: Scheduled) -> bool:
        who = Who(CONTROLLER)
        faults = self._candidate_faults(who, product, channel, scheduled.candidate, scheduled.plan)
        return not any(faults) and not self._is_frozen(who, product, channel)

    def _live_faults(self, product: str, channel: str) -> Iterator[str]:
        if (product, channel) not in self.state.channels:
            yield INVALID
        elif self._live(product, channel) is None:
            yield REFUSED

    def _live(self, product: str, channel: str) -> Rollout | None:
        return self.state.channels.get((product, channel), Channel()).rollout

    def _rolling(self, product: str, channel: str) -> Rollout:
        rollout = self._live(product, channel)
        assert rollout is not None
        return rollout

    def _set(self, product: str, channel: str, rollout: Rollout) -> None:
        self.state.channels[product, channel].rollout = rollout

    def _is_frozen(self, who: Who, product: str, channel: str) -> bool:
        return not who.glass and is_frozen(self.policy, product, channel, self.now)

    def _needs_approval(self, who: Who, product: str, channel: str) -> bool:
        return not who.glass and bool(rules_for(self.policy, "approval", product, channel))

    def _rollout_rule(self, product: str, channel: str) -> Mapping[str, object]:
        return next(iter(rules_for(self.policy, "rollout", product, channel)), {})


def _following(rollout: Rollout, to: str | None) -> int:
    """The place to go to: the next one, or that of the stage that is named."""
    return rollout.place + 1 if to is None else place_of(rollout.plan, to) or 0
