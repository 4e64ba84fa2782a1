"""A channel as its users see it: in JSON, and as a few lines of text."""

import msgspec
from rich.console import Console

from api.times import format_time
from bundles.core.names import Product
from bundles.core.version import Version
from headrace.check_view import CheckView, draw_checks, view_checks
from headrace.gate_view import GateView, draw_gate, view_gate
from headrace.smoke_view import SmokeTestView, draw_tests, view_tests
from release.core.names import Channel, Tenant
from release.core.plan import Plan, Stage
from release.core.routing import Progress, Rollout, Scheduled
from release.rollouts import ChannelAt


class StageView(msgspec.Struct, frozen=True):
    """A stage: its name, its share in percent, and its bake time in seconds (null where a person promotes)."""

    name: str
    percent: float
    bake_seconds: int | None


class RolloutView(msgspec.Struct, frozen=True):
    """A live rollout. `stage` counts from 0; times are RFC 3339 in UTC.

    `gate` is what its health gate knows, null before its first look; `held` says why that holds the rollout.
    """

    candidate: Version
    author: str
    approved_by: str | None
    progress: Progress
    stage: int
    stages: tuple[StageView, ...]
    canary_tenants: tuple[Tenant, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]
    stage_since: str
    promoted_at: str | None
    smoke_tests: tuple[SmokeTestView, ...]
    gate: GateView | None
    held: str | None
    checks: tuple[CheckView, ...]


class ScheduledView(msgspec.Struct, frozen=True):
    """A rollout that begins by itself; `at` is RFC 3339 in UTC."""

    candidate: Version
    author: str
    at: str
    stages: tuple[StageView, ...]


class ChannelView(msgspec.Struct, frozen=True):
    """A channel at a revision of the routing table.

    `frozen` says which freeze holds it, or is null; `warnings` which one will, unless the policy is applied anew.
    """

    product: Product
    channel: Channel
    revision: int
    stable: Version | None
    earlier: tuple[Version, ...]
    rollout: RolloutView | None
    scheduled: ScheduledView | None
    frozen: str | None
    waits_for_approval: bool
    warnings: tuple[str, ...]


def view_channel(product: Product, channel: Channel, at: ChannelAt) -> ChannelView:
    """The channel for its users; `earlier` has the newest first."""
    state = at.state
    return ChannelView(
        product=product,
        channel=channel,
        revision=at.revision,
        stable=state.stable,
        earlier=state.history[-2::-1],
        rollout=None if state.rollout is None else _view_rollout(state.rollout, at),
        scheduled=None if state.scheduled is None else _view_scheduled(state.scheduled),
        frozen=at.frozen,
        waits_for_approval=at.waits_for_approval,
        warnings=at.warnings,
    )


def _view_rollout(rollout: Rollout, at: ChannelAt) -> RolloutView:
    return RolloutView(
        candidate=rollout.candidate,
        author=rollout.author,
        approved_by=rollout.approved_by,
        progress=rollout.progress,
        stage=rollout.stage_index,
        stages=tuple(_view_stage(stage) for stage in rollout.plan.stages),
        canary_tenants=rollout.plan.canary_tenants,
        first=tuple(str(condition) for condition in rollout.plan.targeting.first),
        last=_view_last(rollout.plan),
        stage_since=format_time(rollout.stage_since),
        promoted_at=None if rollout.bakes_until is None else format_time(rollout.bakes_until),
        smoke_tests=view_tests(rollout.plan.smoke_tests, at.smoke),
        gate=None if at.watch is None else view_gate(at.watch),
        held=at.held,
        checks=view_checks(at.checks),
    )


def _view_last(plan: Plan) -> tuple[str, ...]:
    """Who is held back, and until which stage, as it is written for `rollout start --last`."""
    names = plan.stage_names
    held = [(str(each.condition), each.until) for each in plan.targeting.last]
    return tuple(f"{who}@{names[until]}" for who, until in [*held, *plan.targeting.held_tenants.items()])


def _view_scheduled(scheduled: Scheduled) -> ScheduledView:
    return ScheduledView(
        candidate=scheduled.candidate,
        author=scheduled.author,
        at=format_time(scheduled.at),
        stages=tuple(_view_stage(stage) for stage in scheduled.plan.stages),
    )


def _view_stage(stage: Stage) -> StageView:
    return StageView(name=str(stage), percent=stage.share / 100, bake_seconds=stage.bake_seconds)


def draw_channel(console: Console, view: ChannelView) -> None:
    """The channel in two or three lines."""
    console.print(
        f"{view.product} {view.channel}: {view.stable or 'no stable build yet'} (revision {view.revision})"
    )
    if view.earlier:
        console.print(f"earlier: {', '.join(view.earlier[:5])}")
    if view.rollout is not None:
        _draw_rollout(console, view.rollout)
    if view.scheduled is not None:
        console.print(f"scheduled: {view.scheduled.candidate} begins at {view.scheduled.at}")
    if view.waits_for_approval:
        console.print("waits for an approval, by someone else than its author")
    if view.frozen is not None:
        console.print(view.frozen)
    for warning in view.warnings:
        console.print(f"warning: {warning}")


def _draw_rollout(console: Console, rollout: RolloutView) -> None:
    walked = " > ".join(
        f"({stage.name})" if place == rollout.stage else stage.name for place, stage in enumerate(rollout.stages)
    )
    console.print(f"rollout: {rollout.candidate} {rollout.progress}: {walked} > done")
    for words, who in (("first", rollout.first), ("held back", rollout.last)):
        if who:
            console.print(f"{words}: {', '.join(who)}")
    if rollout.promoted_at is not None:
        console.print(f"promoted by the controller at {rollout.promoted_at}")
    draw_tests(console, rollout.smoke_tests)
    if rollout.gate is not None:
        draw_gate(console, rollout.gate)
    if rollout.held is not None:
        console.print(f"held by its gate: {rollout.held}")
    draw_checks(console, rollout.checks)
