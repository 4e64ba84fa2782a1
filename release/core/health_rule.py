"""A channel's health gate, as the policy has it."""

from bundles.core.errors import Invalid
from release.core.gate import GateRule
from release.core.plan import parse_duration
from release.core.scope import Scoped
from release.core.written import Text

MAX_BASELINE_SECONDS = 30 * 24 * 3600


class HealthRule(Scoped, frozen=True, kw_only=True):
    """The gate of these channels, as the policy has it; rates and probabilities as `GateRule` has them.

    `baseline` is how long before the rollout tenants' usual error rates are taken from. After `longest_hold` of
    one stage, a person may promote past a gate that still can't tell.
    """

    alpha: float = 0.01
    tolerated: float = 0.0
    beta: float = 0.05
    margin: float = 1.0
    usual: float | None = None
    most: float | None = None
    baseline: Text = "24h"
    longest_hold: Text = "24h"

    def __post_init__(self) -> None:
        self.rule()
        if not 0 < parse_duration(self.baseline) <= MAX_BASELINE_SECONDS:
            raise Invalid(f"a baseline is up to {MAX_BASELINE_SECONDS // 86_400}d, not {self.baseline!r}")
        parse_duration(self.longest_hold)

    def rule(self) -> GateRule:
        """What the gate goes by. Raises `Invalid`."""
        return GateRule(
            alpha=self.alpha,
            tolerated=self.tolerated,
            beta=self.beta,
            margin=self.margin,
            usual=self.usual,
            most=self.most,
        )
