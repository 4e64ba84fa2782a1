"""A channel as a person reads it: a few lines of text."""

from collections.abc import Iterable

from rich.console import Console

from api.views.channel import ChannelView, RolloutView
from api.views.check import CheckView
from api.views.gate import GateView, RateView
from headrace.smoke_text import draw_tests


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


def draw_gate(console: Console, view: GateView) -> None:
    """The gate in a few lines."""
    console.print(f"gate: {view.verdict}: {view.reason} (e-value {view.e_value:.3g} of {view.taken_back_at:.3g})")
    for name, rate in (("candidate", view.candidate), ("stable build", view.stable)):
        console.print(f"  errors of the {name}: {_words(rate)}")


def _words(rate: RateView) -> str:
    if rate.rate is None:
        return "no reports yet"
    return f"{rate.rate:.3%} of {rate.units:.0f} units (95%: {rate.low:.3%} to {rate.high:.3%})"


def draw_checks(console: Console, checks: Iterable[CheckView]) -> None:
    """A line for each check."""
    for check in checks:
        asked = "" if check.asked_at is None else f" (asked at {check.asked_at})"
        console.print(f"check {check.name}: {check.verdict}: {check.reason}{asked}")
