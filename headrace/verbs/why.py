"""`headrace why`."""

from pathlib import Path

import anyio
import msgspec
import typer
from rich.console import Console

from api.times import format_time
from bundles.core.errors import Failed
from bundles.core.names import Product, parse_product
from headrace import wiring
from headrace.options import (
    DEFAULT_DATA,
    AsJson,
    ChannelName,
    Data,
    EnvironmentName,
    ProductName,
    SnapshotDatabase,
    TenantId,
    example,
)
from headrace.terminal import show
from headrace.why_view import ActView, TurnView, turn_line, view_act, view_turn
from release.adapters.system_clock import SystemClock
from release.core.bucket import format_share, fraction_of
from release.core.names import PRODUCTION, STABLE, Channel, parse_channel, parse_environment, parse_tenant
from release.core.resolve import Passed, Reason
from release.core.routing import ChannelState
from release.holds import holds_ahead
from release.why import Explanation, explain

app = typer.Typer(add_completion=False)

_PASSED = {
    Passed.PIN_EXPIRED: "its pin has expired",
    Passed.PIN_BLOCKED: "its pin names a blocked build",
    Passed.PIN_UNSATISFIABLE: "no released build is in its pin's range",
    Passed.CANDIDATE_BLOCKED: "the candidate is blocked",
    Passed.STABLE_BLOCKED: "the stable build is blocked",
    Passed.HELD_BACK: "the rollout holds it back until a later stage",
}


class Why(msgspec.Struct, frozen=True):
    """The answer of `headrace why`. `bucket` lies in [0, 1); `next_change` is RFC 3339 in UTC.

    `pin_limits` is the command that says whether a pin is over the policy's limits. They decide which pins may be
    set, never what a tenant gets, and origins do not know them.

    `ahead` is what would change the answer by itself, the soonest first. `held` is what keeps the channel's
    rollout from its next step; `held_is_whole` is false where the control database, which knows the policy, gates
    and checks, can't be read or has gone on. `acts` is what a person could do.
    """

    product: str
    tenant: str
    environment: str
    channel: str
    revision: int
    version: str | None
    reason: Reason
    rule: str
    passed: tuple[Passed, ...]
    bucket: float | None
    next_change: str | None
    pin_limits: str | None
    ahead: list[TurnView]
    held: list[str]
    held_is_whole: bool
    acts: list[ActView]


@app.command(epilog=example("headrace why acme posthog-js"))
def why(
    tenant: TenantId,
    product: ProductName,
    environment: EnvironmentName = PRODUCTION,
    channel: ChannelName = STABLE,
    data: Data = DEFAULT_DATA,
    database: SnapshotDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Say which build a tenant gets, which rule chose it, and what would change that, and when.

    It is read from the snapshot that origins serve by. What keeps a rollout from its next step, the control
    database says, where it is here.
    """
    parsed = (
        parse_product(product),
        parse_tenant(tenant),
        parse_environment(environment),
        parse_channel(channel),
    )

    async def run() -> tuple[Explanation, list[str] | None]:
        async with wiring.snapshot_store(data, database) as snapshots:
            found = await explain(snapshots, wiring.trusted_keys(data), SystemClock(), *parsed)
        if all(turn.channel != channel for turn in found.ahead):
            return found, []
        return found, await _held(data, database, parsed[0], parsed[3], found.channel)

    explanation, held = anyio.run(run)
    resolution = explanation.resolution
    answer = Why(
        product=product,
        tenant=tenant,
        environment=environment,
        channel=channel,
        revision=explanation.revision,
        version=resolution.build,
        reason=resolution.reason,
        rule=_rule(explanation),
        passed=resolution.passed,
        bucket=None if resolution.bucket is None else fraction_of(resolution.bucket),
        next_change=None if resolution.next_change is None else format_time(resolution.next_change),
        pin_limits=None if explanation.pin is None else f"headrace pin list {product} --warned",
        ahead=[view_turn(turn) for turn in explanation.ahead],
        held=[*explanation.held, *(held or ())],
        held_is_whole=held is not None,
        acts=[view_act(act, product, tenant, environment, channel) for act in explanation.acts],
    )
    show(answer, as_json, lambda console: _draw(console, answer))


async def _held(
    data: Path, database: str | None, product: Product, channel: Channel, state: ChannelState
) -> list[str] | None:
    """What the control database knows of it; None where it can't be read, as by who may read snapshots alone."""
    if not wiring.has_ledger(data, database):
        return None
    try:
        async with wiring.ledger(data, database) as ledger:
            return await holds_ahead(ledger, product, channel, state, SystemClock().now())
    except Failed:
        return None


def _rule(explanation: Explanation) -> str:
    """The rule that chose, in words."""
    channel, pin = explanation.channel, explanation.pin
    stage = channel.rollout.stage if channel.rollout else None
    match explanation.resolution.reason:
        case Reason.PIN if pin is not None:
            return f"pinned to {pin.text} by {pin.author}" + (f": {pin.reason}" if pin.reason else "")
        case Reason.OPT_IN if pin is not None:
            return f"opted in to candidates by {pin.author}" + (f": {pin.reason}" if pin.reason else "")
        case Reason.STAGING:
            return "a staging environment gets the candidate from a rollout's start"
        case Reason.FIRST:
            return "the rollout reaches it first, by what is known of it"
        case Reason.CANARY:
            return "a canary tenant of the rollout"
        case Reason.COHORT if stage is not None:
            return f"its bucket is below the rollout's {format_share(stage.share)}"
        case Reason.EARLIER_STABLE:
            return "the newest earlier stable build that is not blocked"
        case Reason.NOTHING:
            return "no build is released to it"
        case _:
            return "the channel's stable build"


def _draw(console: Console, answer: Why) -> None:
    console.print(f"{answer.tenant} ({answer.environment}) gets {answer.product}@{answer.version or 'nothing'}")
    console.print(f"because: {answer.rule} [{answer.reason}]")
    for passed in answer.passed:
        console.print(f"passed over: {_PASSED[passed]}")
    if answer.bucket is not None:
        console.print(f"bucket: {answer.bucket:.6f}")
    for turn in answer.ahead:
        console.print(f"ahead: {turn_line(turn)}")
    if not answer.ahead:
        console.print("ahead: nothing changes it by itself")
    for why_held in answer.held:
        console.print(f"held: {why_held}")
    if not answer.held_is_whole:
        console.print("held: by what else is not known here: the control database can't be read, or has gone on")
    for act in answer.acts:
        console.print(
            f"a person could: `{'`, then `'.join(act.commands)}`: it gets {act.version or 'nothing'} then"
        )
    if answer.pin_limits is not None:
        console.print(f"whether its pin is over the policy's limits: `{answer.pin_limits}`")
    console.print(f"revision: {answer.revision}")
