"""A broken build under the health gate: its pages report, and the controller takes it back by itself."""

import anyio
import msgspec

from api.views.gate import GateView, view_gate
from bundles.core.errors import Failed
from headrace.demo.board import Board
from headrace.demo.reports import Reports
from headrace.demo.traffic import Traffic
from headrace.demo.walk import LOOK_SECONDS, Walk

_BROKEN_PART = 0.2
_SHARE = "25"
_MOST_SWEEPS = 5


class TakenBack(msgspec.Struct, frozen=True):
    """How a broken build stopped itself.

    `ms_to_last_answer` is from its first bad beacon until the origin named it last; `loads` are the pages that got
    it, and `failed_pages` those of them that failed. `e_values` are the gate's before that, look by look, and
    `reason` is the controller's.
    """

    ms_to_last_answer: int
    loads: int
    failed_pages: int
    e_values: tuple[float, ...]
    reason: str


async def break_and_watch(walk: Walk, traffic: Traffic, reports: Reports, board: Board, version: str) -> TakenBack:
    """Release a build that breaks a part of its pages, and watch until nobody gets it: the gate acts alone."""
    reports.break_build(version, _BROKEN_PART)
    await walk.verb("rollout", "start", walk.product, version, "--stages", f"{_SHARE},100")
    board.begin(f"{version} is with {_SHARE}% of tenants, and {_BROKEN_PART:.0%} of its pages fail")
    e_values = await _until_ended(walk, board)
    board.end()
    board.begin(f"{version} was taken back by itself")
    await _until_nobody_has(version, traffic)
    board.note()
    board.end()
    last = (await walk.verb("history", walk.product))[-1]
    if (last["actor"], last["verb"]) != ("controller", "abort") or version in traffic.builds():
        raise Failed(f"the gate did not take {version} back: the last change is {last['verb']} by {last['actor']}")
    board.say(f"{last['verb']} by {last['actor']}: {last['reason']}")
    return TakenBack(
        ms_to_last_answer=round((traffic.last_answered[version] - reports.first_failure[version]) * 1000),
        loads=reports.loads[version],
        failed_pages=reports.failures[version],
        e_values=tuple(e_values),
        reason=last["reason"],
    )


async def _until_nobody_has(version: str, traffic: Traffic) -> None:
    """The abort is committed a moment before origins see it: who asked in between is let ask again."""
    for _ in range(_MOST_SWEEPS):
        await traffic.sweep()
        if version not in traffic.builds():
            return


async def _until_ended(walk: Walk, board: Board) -> list[float]:
    """Follow the gate until the rollout has ended. Its e-value at each look that has seen something new."""
    seen: list[GateView] = []
    at = await walk.channel()
    while at.state.rollout is not None:
        if at.watch is not None and (gate := view_gate(at.watch)) not in seen:
            seen.append(gate)
            board.say(
                f"gate: {gate.verdict}, e-value {gate.e_value:.3g}, taken back at {gate.taken_back_at:.3g};"
                f" {gate.candidate.errors:.0f} of {gate.candidate.units:.0f} pages failed,"
                f" of the stable build's {gate.stable.errors:.0f} of {gate.stable.units:.0f}"
            )
        board.note()
        await anyio.sleep(LOOK_SECONDS)
        at = await walk.channel()
    return [gate.e_value for gate in seen]
