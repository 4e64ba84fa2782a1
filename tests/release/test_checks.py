"""Checks hold and end rollouts: on a real database, asked of a service on a socket."""

import json
from collections.abc import Iterator

import msgspec
import pytest

from bundles.core.errors import Refused
from bundles.core.names import Product
from bundles.core.version import Version
from headrace import service_wiring
from release.advance import advance
from release.ask_checks import ask_check, due_checks
from release.blocks import set_block
from release.change import Author, Control
from release.checks import STATES
from release.core.check_rule import CheckRule, Finding
from release.core.checks import CheckState
from release.core.commands import Abort, Pause, Promote, Start
from release.core.freeze import Freeze
from release.core.gate import Verdict
from release.core.names import STABLE, Channel
from release.core.plan import parse_plan
from release.core.policy import Policy
from release.policies import apply_policy
from release.ports import Kind
from release.rollouts import command_channel, read_channel
from release.trail import read_history
from tests.release.conftest import at
from tests.support.service import Answer, Service, say, serving

pytestmark = pytest.mark.anyio

SDK = Product("sdk")
TWO = Version("1.1.0")
SAM = Author("sam")
START = 1_700_000_000
BAKED = START + 600


def value(number: float) -> Answer:
    answer = {"status": "success", "data": {"resultType": "scalar", "result": [1, str(number)]}}
    return say(200, json.dumps(answer).encode())


GOOD, BAD, AWAY = value(0.01), value(0.5), say(503, b"")


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service(GOOD)
    with serving(made):
        yield made


def rule(service: Service, name: str = "errors", failures: int = 3) -> CheckRule:
    return CheckRule(name=name, prometheus=service.url, query="errors", most=0.05, failures=failures)


async def rolling(control: Control, *rules: CheckRule, stages: str = "5@10m,50@10m,100") -> Control:
    """A rollout at its first stage with these checks, at the time of its start."""
    begun = at(control, START)
    await apply_policy(begun, Policy(check=rules), SAM)
    await command_channel(begun, SDK, STABLE, Start(TWO, parse_plan(stages, [], None), "salt"), SAM)
    return begun


async def ask(control: Control, now: int) -> list[CheckState | None]:
    """Ask all checks that are due at this time."""
    there = at(control, now)
    askers = service_wiring.check_askers(there)
    return [await ask_check(there, askers, due) for due in await due_checks(there)]


async def steps(control: Control, now: int) -> list[str]:
    return [each.step for each in await advance(at(control, now))]


async def test_nobody_promotes_until_a_check_says_so(control: Control, service: Service) -> None:
    begun = await rolling(control, rule(service), rule(service, "again"))
    assert await steps(begun, BAKED) == []
    with pytest.raises(Refused, match="stays at 5%: check errors: it has not been asked yet; check again: it has"):
        await command_channel(begun, SDK, STABLE, Promote(to="done"), SAM)
    assert [state.answer.finding for state in await ask(begun, BAKED) if state] == ["good", "good"]
    assert await ask(begun, BAKED + 59) == []
    # Too old, then fresh.
    assert await steps(begun, BAKED + 181) == []
    service.answer = AWAY
    await ask(begun, BAKED + 181)
    assert await steps(begun, BAKED + 181) == []
    with pytest.raises(Refused, match=r"check errors: Prometheus at 127\.0\.0\.1 answered 503"):
        await command_channel(at(begun, BAKED + 181), SDK, STABLE, Promote(), SAM)
    service.answer = GOOD
    await ask(begun, BAKED + 241)
    assert await steps(begun, BAKED + 242) == ["promoted"]
    # An answer of the stage before is none of this one's.
    assert await steps(begun, BAKED + 242 + 600) == []
    with pytest.raises(Refused, match="has not been asked since the stage began"):
        await command_channel(at(begun, BAKED + 242), SDK, STABLE, Promote(), SAM)
    glass = Author("sam", "the metric is wrong", breaks_glass=True)
    await command_channel(at(begun, BAKED + 242), SDK, STABLE, Promote(), glass)


async def test_what_comes_before_production_waits_for_no_check(control: Control, service: Service) -> None:
    begun = await rolling(control, rule(service), stages="staging@10m,5,100")
    assert await ask(begun, BAKED) == []
    assert await steps(begun, BAKED) == ["promoted"]
    assert len(await ask(begun, BAKED)) == 1


async def test_bad_answers_in_a_row_abort_the_rollout_and_the_trail_says_why(
    control: Control, service: Service
) -> None:
    begun = await rolling(control, rule(service))
    held = Policy(check=(rule(service),), freeze=(Freeze(name="always", weekly=("mon 00:00-sun 23:59",)),))
    await apply_policy(begun, held, SAM)
    await command_channel(begun, SDK, STABLE, Pause(), SAM)
    for place, answer in enumerate([BAD, BAD, GOOD, BAD, AWAY, BAD]):
        service.answer = answer
        await ask(begun, START + 60 * place)
        assert await steps(begun, START + 60 * place) == []
    checks = (await read_channel(at(begun, START + 301), SDK, STABLE)).checks
    assert [(each.verdict, each.reason) for each in checks] == [
        (Verdict.HOLD, "0.5 is above 0.05 (2 of 3 until it aborts)")
    ]
    await ask(begun, START + 360)
    service.answer = GOOD
    assert await ask(begun, START + 420) == []
    assert await steps(begun, START + 420) == ["aborted"]
    state = (await read_channel(begun, SDK, STABLE)).state
    assert (state.rollout, state.stable) == (None, None)
    latest = max(await read_history(begun.ledger, SDK, STABLE, limit=10), key=lambda each: each.revision)
    assert (latest.actor, latest.verb, latest.reason) == (
        "controller",
        "abort",
        "check errors: 0.5 is above 0.05, 3 times without a good answer between",
    )


async def test_the_next_rollout_of_the_same_candidate_is_another(control: Control, service: Service) -> None:
    begun = await rolling(control, rule(service, failures=1))
    service.answer = BAD
    await ask(begun, START)
    await command_channel(begun, SDK, STABLE, Abort(), SAM)
    again = await rolling(control, rule(service, failures=1), rule(service, "other"))
    assert await steps(again, START) == []
    assert len(await ask(again, START)) == 2
    assert await steps(again, START) == ["aborted"]
    # Of what has ended nothing is kept, once there is another to ask about.
    elsewhere = Start(TWO, parse_plan("5,100", [], None), "salt")
    await command_channel(again, SDK, Channel("next"), elsewhere, SAM)
    assert len(await ask(again, START)) == 2
    async with control.ledger.transaction() as transaction:
        assert sorted(await transaction.documents(STATES)) == ["sdk next errors", "sdk next other"]


async def test_a_blocked_candidate_is_asked_about_no_more(control: Control, service: Service) -> None:
    begun = await rolling(control, rule(service, failures=1))
    service.answer = BAD
    await ask(begun, START)
    await set_block(begun, SDK, TWO, SAM)
    assert await ask(begun, BAKED) == []
    assert await steps(begun, BAKED) == []


async def test_an_answer_that_comes_too_late_is_not_kept(control: Control, service: Service) -> None:
    """The rollout is paused, the rule is changed, or another controller has kept an answer meanwhile."""
    begun = await rolling(control, rule(service, failures=1))
    askers = service_wiring.check_askers(begun)
    service.answer = BAD

    async def change_rule() -> None:
        await apply_policy(begun, Policy(check=(rule(service, failures=2),)), SAM)

    async def pause() -> None:
        await command_channel(begun, SDK, STABLE, Pause(), SAM)

    async def ask_as_well() -> None:
        assert await ask(begun, START) != [None]

    for meanwhile in (change_rule, pause, ask_as_well):
        [due] = await due_checks(begun)
        await meanwhile()
        assert await ask_check(begun, askers, due) is None
    [check] = (await read_channel(begun, SDK, STABLE)).checks
    assert check.state is not None
    assert (check.state.bad, check.state.answer.finding) == (1, Finding.BAD)
    assert msgspec.structs.replace(check.rule, failures=1) == rule(service, failures=1)


async def test_what_another_version_kept_says_nothing_and_stops_no_tick(
    control: Control, service: Service
) -> None:
    await rolling(control, rule(service))
    await ask(control, BAKED)
    name = f"sdk {STABLE} errors"
    async with control.ledger.transaction() as transaction:
        await transaction.save_document(Kind(STATES.name, dict), name, {"rollout": "salt@2", "answers": []})
    (held,) = (await read_channel(at(control, BAKED), SDK, STABLE)).checks
    assert (held.verdict, held.reason) == (Verdict.HOLD, "it has not been asked yet")
    assert await advance(at(control, BAKED)) == []
    await ask(control, BAKED)
    assert [step.step for step in await advance(at(control, BAKED))] == ["promoted"]
