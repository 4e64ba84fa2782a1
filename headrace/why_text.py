"""Why a tenant gets its build and what would change that, as lines of text."""

from api.views.resolution import ActView, TurnView
from release.core.ahead import TurnKind
from release.core.resolve import Passed

_PASSED = {
    Passed.PIN_EXPIRED: "its pin has expired",
    Passed.PIN_BLOCKED: "its pin names a blocked build",
    Passed.PIN_UNSATISFIABLE: "no released build is in its pin's range",
    Passed.CANDIDATE_BLOCKED: "the candidate is blocked",
    Passed.STABLE_BLOCKED: "the stable build is blocked",
    Passed.HELD_BACK: "the rollout holds it back until a later stage",
}


def passed_line(passed: Passed) -> str:
    """What would have given it another build, and did not, on one line."""
    return _PASSED[passed]


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
