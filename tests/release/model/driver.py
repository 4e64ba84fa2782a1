"""What the model asks for, as the use cases take it; and what they give, as the model has it."""

from collections.abc import Mapping
from typing import Any

from api.handlers.channels import rollout_rule
from api.operations.channels import StartRollout
from bundles.core.names import Product
from bundles.core.retention import Policy as Retention
from bundles.core.version import Range, Version
from release.blocks import Affected
from release.change import Author, Control
from release.core.codec import decode_document, encode_document
from release.core.commands import Command, Schedule, Start
from release.core.names import Channel, Environment, Tenant
from release.core.policy import Policy
from release.core.resolve import resolve_tenant
from release.core.routing import ChannelState, PinKey, Progress, RoutingTable
from release.core.routing import Pin as RealPin
from release.pins import set_pin
from release.ports import Candidate, SmokeResult
from release.rollouts import ChannelAt, command_channel
from release.smoke import SmokeRunners
from tests.release.model import state as model
from tests.release.model.plans import Asked
from tests.release.model.requested import Who


def author_of(who: Who) -> Author:
    """Who asks."""
    return Author(who.actor, who.reason, who.expected, who.glass, who.key)


async def command(control: Control, who: Who, product: str, channel: str, wanted: Command) -> ChannelAt:
    """Tell a channel what to do."""
    return await command_channel(control, Product(product), Channel(channel), wanted, author_of(who))


async def start(
    control: Control,
    who: Who,
    product: str,
    channel: str,
    build: str,
    asked: Asked,
    drawn: str,
    *,
    supersede: bool = False,
    at: int | None = None,
) -> ChannelAt:
    """Start or schedule a rollout, as the API does: what was left open, the policy decides."""
    given = StartRollout(
        product=product,
        channel=channel,
        candidate=build,
        stages=asked.stages,
        bake=asked.bake,
        canary=tuple(asked.canary),
        first=tuple(asked.first),
        last=tuple(asked.last),
        smoke_command=tuple(asked.smoke),
    )
    rule = await rollout_rule(control, given, Product(product), Channel(channel))
    wanted = Start(Version(build), rule.plan(), rule.salt or drawn, supersede)
    return await command(control, who, product, channel, wanted if at is None else Schedule(wanted, at))


async def pin(
    control: Control,
    who: Who,
    product: str,
    tenant: str,
    environment: str,
    wanted: model.Pin,
    *,
    hold: bool = False,
) -> str:
    """Set a pin, and say what to."""
    target = None if wanted.target == model.CANDIDATES or hold else Range(wanted.target)
    real = RealPin(target, wanted.author, wanted.reason, wanted.expires, wanted.by_customer)
    key, author = pin_key(tenant, environment), author_of(who)
    return (await set_pin(control, Product(product), key, real, author, hold=hold)).text


def pin_key(tenant: str, environment: str) -> PinKey:
    """Whose pin it is."""
    return PinKey(Tenant(tenant), Environment(environment))


def policy_of(rules: Mapping[str, Any]) -> Policy:
    """The policy, from what its TOML has."""
    return decode_document(encode_document(rules), Policy)


def retention(keep: int, older_than: int) -> Retention:
    """Which builds stay."""
    return Retention(keep, older_than)


class Smoke:
    """Gives each test the same result."""

    def __init__(self, *, passed: bool) -> None:
        self._passed = passed

    async def run(self, test: object, candidate: Candidate) -> SmokeResult:
        """The result."""
        del test, candidate
        return SmokeResult(self._passed, "as told")


def smoke_runners(*, passed: bool) -> SmokeRunners:
    """Runners of which each test passes, or none."""
    runner = Smoke(passed=passed)
    return SmokeRunners(runner, runner, runner)


def answer(
    table: RoutingTable, product: str, channel: str, tenant: str, environment: str, now: int
) -> model.Answer:
    """What an origin with this table gives the tenant."""
    resolved = resolve_tenant(
        table.routes(Product(product)),
        Tenant(tenant),
        Environment(environment),
        Channel(channel),
        now=now,
        known=table.tenants,
    )
    passed = tuple(str(each) for each in resolved.passed)
    return model.Answer(resolved.build, str(resolved.reason), passed, resolved.next_change)


def shape(state: ChannelState | None) -> object:
    """A channel of the product, to be compared."""
    if state is None:
        return None
    rollout, scheduled = state.rollout, state.scheduled
    return (
        list(state.history),
        rollout
        and (
            rollout.candidate,
            rollout.plan.stage_names,
            rollout.salt,
            rollout.stage_index,
            rollout.stage_since,
            rollout.progress is Progress.PAUSED,
            rollout.author,
            rollout.approved_by,
        ),
        scheduled
        and (scheduled.candidate, scheduled.plan.stage_names, scheduled.salt, scheduled.at, scheduled.author),
    )


def model_shape(channel: model.Channel | None) -> object:
    """One of the model, in the same way."""
    if channel is None:
        return None
    rollout, scheduled = channel.rollout, channel.scheduled
    return (
        channel.history,
        rollout
        and (
            rollout.candidate,
            rollout.plan.names,
            rollout.salt,
            rollout.place,
            rollout.since,
            rollout.paused,
            rollout.author,
            rollout.approved_by,
        ),
        scheduled and (scheduled.candidate, scheduled.plan.names, scheduled.salt, scheduled.at, scheduled.author),
    )


def moved(affected: Affected) -> set[tuple[str, str, str | None, str | None]]:
    """The tenants that a block moves, or keeps from a build."""
    return {(move.tenant, move.environment, move.before, move.after) for move in affected.moves}
