"""A routing table as the oracle has it, to be resolved by its rules."""

from release.core.plan import Plan as RealPlan
from release.core.routing import ChannelState, Progress, RoutingTable
from release.core.routing import Rollout as RealRollout
from release.core.routing import Scheduled as RealScheduled
from tests.release.model.plans import Plan, Stage
from tests.release.model.state import Channel, Pin, Rollout, Scheduled, State


def state_of(table: RoutingTable) -> State:
    """All of it."""
    state = State(about={tenant: dict(about) for tenant, about in table.tenants.items()})
    for product, routes in table.products.items():
        for name, channel in routes.channels.items():
            state.channels[product, name] = _channel(channel)
        for key, pin in routes.pins.items():
            tenant, environment = key.split("~")
            plain = Pin(pin.text, pin.author, pin.reason, pin.expires_at, pin.by_customer)
            state.pins[product, tenant, environment] = plain
        state.blocks |= {(product, build) for build in routes.blocks}
    return state


def _channel(state: ChannelState) -> Channel:
    return Channel(list(state.history), _rollout(state.rollout), _scheduled(state.scheduled))


def _rollout(live: RealRollout | None) -> Rollout | None:
    if live is None:
        return None
    is_paused = live.progress is Progress.PAUSED
    plan = _plan(live.plan)
    return Rollout(
        live.candidate, plan, live.salt, live.stage_since, live.author, live.stage_index, paused=is_paused
    )


def _scheduled(waiting: RealScheduled | None) -> Scheduled | None:
    if waiting is None:
        return None
    return Scheduled(waiting.candidate, _plan(waiting.plan), waiting.salt, waiting.at, waiting.author)


def _plan(plan: RealPlan) -> Plan:
    stages = tuple(Stage(str(each), str(each.kind), each.share / 100, each.bake_seconds) for each in plan.stages)
    targeting = plan.targeting
    held = [(str(held.condition), held.until) for held in targeting.last]
    return Plan(
        stages,
        tuple(plan.canary_tenants),
        tuple(str(condition) for condition in targeting.first),
        (*held, *targeting.held_tenants.items()),
        (),
    )
