"""What would change which build a tenant gets, as its users see it: in JSON, and as lines of text."""

from collections.abc import Iterator

import msgspec

from api.times import format_time
from release.core.acts import Act, ActKind
from release.core.ahead import Turn, TurnKind
from release.core.names import PRODUCTION, STABLE

_OF_PINS = {ActKind.CLEAR_PIN, ActKind.PIN}


class TurnView(msgspec.Struct, frozen=True):
    """A change to come: the build that the tenant would get; `at` and `begins_at` are RFC 3339 in UTC.

    `at` is the earliest time, null where the rollout waits for a person at the stage `waits_at`.
    """

    what: TurnKind
    version: str | None
    at: str | None
    channel: str | None
    stage: str | None
    waits_at: str | None
    begins_at: str | None


class ActView(msgspec.Struct, frozen=True):
    """What a person could do, as it is typed one after the other, and the build that the tenant would get."""

    commands: list[str]
    version: str | None


def view_turn(turn: Turn) -> TurnView:
    """The change to come for its users."""
    return TurnView(
        what=turn.kind,
        version=turn.build,
        at=None if turn.at is None else format_time(turn.at),
        channel=turn.channel,
        stage=turn.stage,
        waits_at=turn.waits_at,
        begins_at=None if turn.begins_at is None else format_time(turn.begins_at),
    )


def view_act(act: Act, product: str, tenant: str, environment: str, channel: str) -> ActView:
    """The act as it is typed for this tenant."""
    return ActView(list(_commands(act, product, tenant, environment, channel)), act.build)


def _commands(act: Act, product: str, tenant: str, environment: str, channel: str) -> Iterator[str]:
    for verb in act.kind.split(", "):
        words = ["headrace", verb]
        words += [tenant, product] if act.kind in _OF_PINS else [product]
        if act.name is not None and verb == "rollout promote":
            words += ["--to", act.name]
        elif act.name is not None and verb != "rollout resume":
            words.append(act.name)
        if act.kind in _OF_PINS and environment != PRODUCTION:
            words += ["--environment", environment]
        if act.kind not in _OF_PINS and act.kind is not ActKind.CLEAR_BLOCK and channel != STABLE:
            words += ["--channel", channel]
        yield " ".join(words)


def turn_line(view: TurnView) -> str:
    """A change to come on one line."""
    gets = view.version or "nothing"
    if view.what is TurnKind.PIN_ENDS:
        return f"at {view.at} its pin ends: it gets {gets} then, as things are"
    when = (
        f"at {view.at} at the earliest" if view.at is not None else f"once a person lets it past {view.waits_at}"
    )
    begins = "" if view.begins_at is None else f", which begins at {view.begins_at},"
    said = {
        TurnKind.REACHED: "reaches it",
        TurnKind.HOLD_BACK_ENDS: "holds it back no longer",
        TurnKind.RELEASED_IN_RANGE: "brings a newer build into its pin's range",
    }[view.what]
    return f"{when} the rollout on {view.channel}{begins} {said}, with {view.stage}: it gets {gets} then"


def act_line(view: ActView) -> str:
    """What a person could do, on one line."""
    typed = ", then ".join(f"`{command}`" for command in view.commands)
    return f"{typed}: it gets {view.version or 'nothing'} then"
