"""What the health gate promises beside what others do, by simulation: `python -m benchmarks.gate --help`."""

import argparse
import json
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.gate.bounds import upper_bound
from benchmarks.gate.picture import draw
from benchmarks.gate.proof import Aborts, simulate
from benchmarks.gate.rivals import Gate, failed_checks, headrace, peeked_z_test, without_folds
from benchmarks.gate.scenarios import STRETCHES, TO_SEE, alike, unlike_tenants, worse
from benchmarks.gate.world import USUAL_RATE
from release.core.gate import GateRule

_RULE = GateRule()
_GATES: Mapping[str, Callable[[], Gate]] = {
    "headrace": partial(headrace, _RULE),
    "z-test at each stretch": partial(peeked_z_test, _RULE.alpha),
    "5 checks above 1%": partial(failed_checks, 0.01, 5),
}
_ON_TENANTS: Mapping[str, Callable[[], Gate]] = {
    "headrace": partial(headrace, _RULE),
    "without folds": partial(without_folds, _RULE),
}
_SHARES = (0.01, 0.05, 0.1, 0.5)


class FalseAborts(msgspec.Struct, frozen=True):
    """Of candidates that are as their stable builds, how many a gate took back; `bound` is 99% sure."""

    scenario: str
    gate: str
    runs: int
    aborted: int
    bound: float


class Seen(msgspec.Struct, frozen=True):
    """Of candidates that are worse, the part taken back within the units of the target, and after how many units
    half of them and 95% were. `wald` is what a test would need on average that was told both error rates.
    """

    rate_ratio: float
    share: float
    gate: str
    target: int
    within_target: float
    half: float | None
    most: float | None
    wald: float


def main() -> None:
    """Simulate, and print tables or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.gate", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--picture", type=Path, help="draw how soon each gate sees a broken build into this SVG file"
    )
    parser.add_argument("--runs", type=_runs, default=1_000, help="rollouts of each kind, for each gate")
    options = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        false = _false_aborts(options.runs, pool)
        seen, curves = _seen(options.runs, pool)
    if options.picture is not None:
        options.picture.write_text(draw(curves, TO_SEE[10.0]))
    if options.json:
        print(json.dumps(msgspec.to_builtins({"false_aborts": false, "seen": seen}), indent=2))
    else:
        _show(false, seen)


def _runs(text: str) -> int:
    runs = int(text)
    if runs < 10:
        raise argparse.ArgumentTypeError("fewer than 10 rollouts say nothing")
    return runs


def _false_aborts(most_runs: int, pool: ProcessPoolExecutor) -> list[FalseAborts]:
    found = []
    # A rollout of tenants is simulated tenant by tenant, which takes ten times as long.
    for rollouts, gates, runs in ((alike(), _GATES, most_runs), (unlike_tenants(), _ON_TENANTS, most_runs // 10)):
        for scenario, rollout in rollouts.items():
            for name, gate in gates.items():
                aborts = simulate(rollout, gate, runs, STRETCHES, scenario, pool)
                found.append(FalseAborts(scenario, name, runs, aborts.count, upper_bound(aborts.count, runs)))
    return found


def _seen(runs: int, pool: ProcessPoolExecutor) -> tuple[list[Seen], dict[str, Aborts]]:
    """The figures, and of each gate how soon it sees a build that fails ten times as often, at a tenth of the
    units.
    """
    found, curves = [], {}
    for rate_ratio, target in TO_SEE.items():
        for share in _SHARES:
            for name, gate in _GATES.items():
                aborts = simulate(worse(rate_ratio, share), gate, runs, 4 * 100, f"{rate_ratio}/{share}", pool)
                if (rate_ratio, share) == (10.0, 0.1):
                    curves[name] = aborts
                found.append(
                    Seen(
                        rate_ratio=rate_ratio,
                        share=share,
                        gate=name,
                        target=target,
                        within_target=aborts.within(target),
                        half=aborts.quantile(0.5),
                        most=aborts.quantile(0.95),
                        wald=_wald(USUAL_RATE, USUAL_RATE * rate_ratio),
                    )
                )
    return found, curves


def _wald(good: float, bad: float) -> float:
    """The mean number of units to reject `good` where `bad` holds, by the best test that is told both (Wald,
    1945).
    """
    alpha, beta = _RULE.alpha, 0.05
    gained = (1 - beta) * math.log((1 - beta) / alpha) + beta * math.log(beta / (1 - alpha))
    return gained / (bad * math.log(bad / good) + (1 - bad) * math.log((1 - bad) / (1 - good)))


def _show(false: list[FalseAborts], seen: list[Seen]) -> None:
    console = Console(width=130)
    table = Table("candidates as the stable build", "gate", "taken back", "of", "99% bound", box=None)
    for one in false:
        table.add_row(one.scenario, one.gate, f"{one.aborted:,}", f"{one.runs:,}", f"{one.bound:.4f}")
    console.print(table)
    columns = ("times the errors", "share", "gate", "within", "", "half by", "95% by", "Wald's mean")
    powers = Table(*columns, box=None)
    for each in seen:
        powers.add_row(
            f"{each.rate_ratio:.0f}",
            f"{each.share:.0%}",
            each.gate,
            f"{each.target:,}",
            f"{each.within_target:.1%}",
            "-" if each.half is None else f"{each.half:,.0f}",
            "-" if each.most is None else f"{each.most:,.0f}",
            f"{each.wald:,.0f}",
        )
    console.print(powers)


if __name__ == "__main__":
    main()
