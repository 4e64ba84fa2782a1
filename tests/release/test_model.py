"""The whole controller against a plain oracle: whatever is asked of it, in whatever order.

5,000 steps, the same ones each time. `make nightly` does 100,000 others.
"""

import asyncio
import os
from collections import Counter
from itertools import count
from itertools import product as pairs

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.release.model.choices import BUILDS
from tests.release.model.holding_rules import HoldingRules
from tests.release.model.rollout_rules import RolloutRules
from tests.release.model.system import make_template, without_logs
from tests.support.memory import memory_folder
from tests.support.one_thread import one_thread

STEPS = int(os.environ.get("HEADRACE_MODEL_STEPS", "5000"))
SEED = int(os.environ.get("HEADRACE_MODEL_SEED", "0"))  # of a run that is to be seen again
STEPS_IN_A_RUN = 50

# What 5,000 steps come across: a model that never gets there shows nothing.
EXPECTED = {
    *pairs(["abort", "approve", "block", "forget", "hold", "pause", "pin", "policy", "promote", "resume", "retire",
            "rollback", "schedule", "smoke", "start", "supersede", "tenants", "unblock", "unpin"], ["done"]),
    *pairs(["approve", "hold", "pin", "promote", "retire", "rollback", "schedule", "start", "unpin"], ["Refused"]),
    *pairs(["pin", "promote", "start"], ["Conflict"]),
    *pairs(["advance"], ["begun", "promoted"]), *pairs(["smoke outcome"], ["True", "False"]),
    ("sent again", "known"),
}  # fmt: skip


class ControllerModel(RolloutRules, HoldingRules):
    """Everything that may be asked of the controller."""


def run_model(number: int) -> None:
    """Ten runs, the same ones for the same seed. After them Hypothesis would make new ones of old parts."""
    chosen = settings(
        max_examples=10,
        stateful_step_count=STEPS_IN_A_RUN,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if SEED else [Phase.generate],
        report_multiple_bugs=False,
    )
    again = f"HEADRACE_MODEL_SEED={number} HEADRACE_MODEL_STEPS=1 .venv/bin/pytest tests/release/test_model.py"
    try:
        run_state_machine_as_test(seed(number)(ControllerModel), settings=chosen)
    except Exception as error:
        error.add_note(f"to see it again, made as short as may be: {again}")
        raise


def test_the_controller_does_what_the_oracle_says(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = ControllerModel.seen = Counter()
    with memory_folder() as folder, one_thread(), asyncio.Runner() as runner, without_logs():
        monkeypatch.setattr(ControllerModel, "runner", runner, raising=False)
        monkeypatch.setattr(ControllerModel, "folder", folder, raising=False)
        monkeypatch.setattr(ControllerModel, "template", runner.run(make_template(folder, BUILDS)), raising=False)
        for number in count(SEED or 1):
            run_model(number)
            if seen["steps", ""] >= STEPS:
                break
    never = EXPECTED - seen.keys()
    assert not never or SEED, f"it was never seen that {sorted(never)}"
