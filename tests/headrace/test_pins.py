"""Pins and blocks through the command line: hold, opt in, limits, warnings, and who is left on a build."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.cli import HEADRACE, environment, fail, run, succeed
from tests.support.processes import controller


def test_a_tenant_is_held_where_it_is_until_a_date(released_data: Path) -> None:
    held = succeed(released_data, "pin", "set", "acme", "sdk", "--until", "2999-01-31")
    assert (held["target"], held["expires_at"]) == ("1.0.0", "2999-01-31T00:00:00+00:00")
    assert "pinned to sdk@1.0.0" in run(released_data, "pin", "set", "acme", "sdk").stdout


def test_a_tenant_opts_in_to_candidates(released_data: Path) -> None:
    assert succeed(released_data, "pin", "set", "acme", "sdk", "candidates")["target"] == "candidates"
    succeed(
        released_data, "rollout", "start", "sdk", "1.1.0", "--stages", "staging,canary,100", "--canary", "zeta"
    )
    assert succeed(released_data, "why", "acme", "sdk")["version"] == "1.0.0"
    succeed(released_data, "rollout", "promote", "sdk")
    why = succeed(released_data, "why", "acme", "sdk")
    assert (why["version"], why["reason"], why["rule"]) == ("1.1.0", "opt-in", "opted in to candidates by sam")
    assert run(released_data, "pin", "list", "sdk").stdout.splitlines()[1].split()[:3] == [
        "acme",
        "production",
        "candidates",
    ]


def test_a_customer_sets_its_own_pin_within_the_policy(released_data: Path, tmp_path: Path) -> None:
    refused = fail(released_data, "pin", "set", "acme", "sdk", "^1", "--as-customer", code=3)
    assert "may not set a pin of kind range itself; those it may: none" in refused
    policy = tmp_path / "policy.toml"
    policy.write_text('[[pins]]\ncustomers = ["range", "candidates"]\nlongest = "365d"\nmost_behind = 3\n')
    succeed(released_data, "apply", str(policy))
    until = (datetime.now(UTC) + timedelta(days=5)).date().isoformat()
    own = succeed(released_data, "pin", "set", "acme", "sdk", "^1", "--as-customer", "--until", until)
    assert own["by_customer"] is True
    assert "may last 365d at most" in fail(released_data, "pin", "set", "zeta", "sdk", "^1", code=3)
    [warned] = succeed(released_data, "pin", "list", "sdk", "--warned")
    assert (warned["tenant"], warned["build"], warned["warnings"]) == (
        "acme",
        "1.0.0",
        ["it ends in less than 14d"],
    )
    why = succeed(released_data, "why", "acme", "sdk")
    assert (why["reason"], why["pin_limits"]) == ("pin", "headrace pin list sdk --warned")
    assert "`headrace pin list sdk --warned`" in run(released_data, "why", "acme", "sdk").stdout
    assert succeed(released_data, "why", "zeta", "sdk")["pin_limits"] is None
    with controller(released_data) as process:
        told = process.wait_for("pin ends soon")
    assert told["pin"] == "acme~production"


def test_who_is_left_on_a_build(released_data: Path, tmp_path: Path) -> None:
    succeed(released_data, "pin", "set", "acme", "sdk", "1.1.0", "--environment", "staging")
    left = succeed(released_data, "who", "sdk", "1.1.0")
    assert (left["known"], left["holders"]) == (
        2,
        [{"tenant": "acme", "environment": "staging", "reason": "pin"}],
    )
    tenants = tmp_path / "tenants.txt"
    tenants.write_text("t1\nt2\n\nacme\n")
    names = [
        each["tenant"]
        for each in succeed(released_data, "who", "sdk", "1.0.0", "--tenants", str(tenants))["holders"]
    ]
    assert names == ["acme", "t1", "t2"]
    piped = subprocess.run(
        [HEADRACE, "who", "sdk", "1.0.0", "--tenants", "-", "--json"],
        env=environment(released_data),
        input="t3\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert [each["tenant"] for each in json.loads(piped.stdout)["holders"]] == ["acme", "t3"]
    assert "1 of 2 known" in run(released_data, "who", "sdk", "1.1.0").stdout
    tenants.write_text("t1\nnot a tenant\n")
    message = fail(released_data, "who", "sdk", "1.0.0", "--tenants", str(tenants), code=2)
    assert f"{tenants}, line 2: 'not a tenant' is not a tenant id" in message


def test_a_block_lists_the_tenants_that_had_the_build(released_data: Path) -> None:
    succeed(released_data, "pin", "set", "acme", "sdk", "1.1.0")
    blocked = succeed(released_data, "block", "set", "sdk", "1.1.0", "--reason", "leaks")
    assert blocked["affected"] == [
        {"tenant": "acme", "environment": "production", "before": "1.1.0", "after": "1.0.0"}
    ]
    assert succeed(released_data, "pin", "list", "sdk", "--warned")[0]["warnings"] == ["its build is blocked"]
    succeed(released_data, "block", "clear", "sdk", "1.1.0")
    text = run(released_data, "block", "set", "sdk", "1.1.0").stdout
    assert "acme (production) gets 1.0.0 instead" in text
