"""`headrace why`: what would change which build a tenant gets, and when, on a real control plane."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.contract.test_postgresql_feed import granted
from tests.support.cli import publish, release, run, succeed
from tests.support.postgresql import PostgresServer

POLICY = """
[[approval]]
channels = ["stable"]
[[freeze]]
name = "holidays"
[[freeze.periods]]
from = "2020-01-01"
until = "2999-01-01"
"""
PROMOTE = "headrace rollout promote sdk --to 100%"


def test_the_stage_that_reaches_a_tenant_its_time_and_what_holds_it(released_data: Path, tmp_path: Path) -> None:
    plan = ("--stages", "staging@1h,canary@2h,100", "--canary", "zeta")
    started = succeed(released_data, "rollout", "start", "sdk", "1.1.0", *plan)["rollout"]
    why = succeed(released_data, "why", "acme", "sdk")
    at = (datetime.fromisoformat(started["stage_since"]) + timedelta(hours=3)).isoformat()
    reached = {"what": "rollout-reaches-it", "version": "1.1.0", "at": at, "channel": "stable", "stage": "100%"}
    assert why["ahead"] == [{**reached, "waits_at": None, "begins_at": None}]
    assert (why["held"], why["held_is_whole"]) == ([], True)
    assert why["acts"] == [
        {"commands": ["headrace pin set acme sdk 1.1.0"], "version": "1.1.0"},
        {"commands": [PROMOTE], "version": "1.1.0"},
    ]
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    succeed(released_data, "apply", str(policy))
    succeed(released_data, "rollout", "pause", "sdk")
    why = succeed(released_data, "why", "acme", "sdk")
    assert (why["ahead"][0]["at"], why["ahead"][0]["waits_at"]) == (None, "staging")
    assert why["held"] == [
        "the rollout is paused at staging",
        "the freeze 'holidays' holds until 2999-01-01T00:00:00+00:00",
        "it waits for an approval, by someone else than sam",
    ]
    text = run(released_data, "why", "acme", "sdk").stdout
    assert (
        "ahead: once a person lets it past staging the rollout on stable reaches it, with 100%: it gets 1.1.0 then"
    ) in text
    assert "held: the freeze 'holidays' holds" in text
    assert f"a person could: `headrace rollout resume sdk`, then `{PROMOTE}`: it gets 1.1.0 then" in text
    # Who has only the snapshot gets the same answer, but for what it does not say.
    (released_data / "control.db").rename(tmp_path / "away.db")
    alone = succeed(released_data, "why", "acme", "sdk")
    assert (alone["held"], alone["held_is_whole"]) == (why["held"][:1], False)
    assert alone["ahead"] == why["ahead"]
    assert not (released_data / "control.db").exists()


def test_a_smoke_test_and_a_gate_are_said_to_hold_it(released_data: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[[gate]]\nproducts = ["sdk"]\n')
    succeed(released_data, "apply", str(policy))
    plan = ("--stages", "staging,canary,100", "--canary", "zeta", "--smoke-command", "true")
    succeed(released_data, "rollout", "start", "sdk", "1.1.0", *plan)
    assert succeed(released_data, "why", "acme", "sdk")["held"] == ["its smoke tests: command has not run"]
    succeed(released_data, "smoke", "run", "sdk")
    succeed(released_data, "rollout", "promote", "sdk")
    (held,) = succeed(released_data, "why", "acme", "sdk")["held"]
    assert held.startswith("its health gate: ")
    # Whom it has reached is moved by no stage any more.
    reached = succeed(released_data, "why", "zeta", "sdk")
    assert (reached["version"], reached["ahead"], reached["held"]) == ("1.1.0", [], [])
    assert reached["acts"] == [{"commands": ["headrace rollout abort sdk"], "version": "1.0.0"}]
    assert "ahead: nothing changes it by itself" in run(released_data, "why", "zeta", "sdk").stdout


def test_the_end_of_a_pin_and_what_comes_after_it(released_data: Path) -> None:
    succeed(released_data, "pin", "set", "acme", "sdk", "1.1.0", "--until", "2999-01-31", "--environment", "dev")
    why = succeed(released_data, "why", "acme", "sdk", "--environment", "dev")
    (ends,) = why["ahead"]
    assert (ends["what"], ends["at"], ends["version"]) == ("pin-ends", "2999-01-31T00:00:00+00:00", "1.0.0")
    assert why["acts"][0] == {"commands": ["headrace pin clear acme sdk --environment dev"], "version": "1.0.0"}


def test_a_scheduled_rollout_says_when_it_begins(released_data: Path) -> None:
    at = "2999-01-31T00:00:00+00:00"
    succeed(released_data, "rollout", "start", "sdk", "1.1.0", "--stages", "100", "--at", at)
    (turn,) = succeed(released_data, "why", "acme", "sdk")["ahead"]
    assert (turn["version"], turn["at"], turn["begins_at"], turn["stage"]) == ("1.1.0", at, at, "100%")
    assert (
        f"the rollout on stable, which begins at {at}, reaches it"
        in run(released_data, "why", "acme", "sdk").stdout
    )


def test_a_role_that_may_read_snapshots_alone_gets_what_they_say(
    postgresql: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, database = tmp_path / "data", postgresql.new_database()
    publish(data, tmp_path, "1.0.0")
    publish(data, tmp_path, "1.1.0")
    monkeypatch.setenv("HEADRACE_DATABASE", database)
    release(data, "1.0.0")
    succeed(data, "rollout", "start", "sdk", "1.1.0", "--stages", "staging,100")
    assert succeed(data, "why", "acme", "sdk")["held_is_whole"] is True
    why = succeed(data, "why", "acme", "sdk", "--database", granted(postgresql, database))
    assert (why["ahead"][0]["waits_at"], why["held"], why["held_is_whole"]) == ("staging", [], False)
