"""Targeting by what is known of tenants, and `headrace plan`: who would move, before a change is made."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cli import fail, run, succeed
from tests.support.processes import origin


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    """Two hundred known tenants."""
    file = tmp_path / "tenants.txt"
    file.write_text("".join(f"t{number}\n" for number in range(200)))
    return file


def plan(data: Path, tenants: Path, *change: str) -> Any:
    """What the change would do on the one channel that it is for."""
    planned = succeed(data, "plan", "--json", "--tenants", str(tenants), *change)
    assert len(planned["channels"]) == 1
    return planned["channels"][0]


def test_what_is_known_of_tenants_is_kept_listed_and_forgotten(released_data: Path, tmp_path: Path) -> None:
    assert succeed(released_data, "tenant", "set", "acme", "tier=free", "region=eu")["attributes"] == {
        "tier": "free",
        "region": "eu",
    }
    known = tmp_path / "known.txt"
    known.write_text("acme tier=enterprise\n\nzeta tier=free\n")
    assert succeed(released_data, "tenant", "import", str(known)) == {"tenants": 2}
    assert succeed(released_data, "tenant", "list") == [
        {"tenant": "acme", "attributes": {"tier": "enterprise"}},
        {"tenant": "zeta", "attributes": {"tier": "free"}},
    ]
    succeed(released_data, "tenant", "clear", "zeta")
    assert run(released_data, "tenant", "list").stdout == "acme tier=enterprise\n"
    assert "nothing is known of a tenant 'zeta'" in fail(released_data, "tenant", "clear", "zeta", code=2)
    known.write_text("acme tier=free\nzeta tier\n")
    assert "line 2: 'tier' is not one more attribute" in fail(
        released_data, "tenant", "import", str(known), code=2
    )


def test_an_origin_gives_the_candidate_to_some_first_and_to_others_last(released_data: Path) -> None:
    succeed(released_data, "tenant", "set", "early", "tier=free")
    succeed(released_data, "tenant", "set", "late", "tier=enterprise")
    options = ("--stages", "canary,99.99,100", "--first", "tier=free", "--last", "tier=enterprise@done")
    started = succeed(released_data, "rollout", "start", "sdk", "1.1.0", *options)["rollout"]
    assert (started["first"], started["last"]) == (["tier=free"], ["tier=enterprise@done"])
    with origin(released_data) as process:
        assert "1.1.0" in location(process.url, "early")
        assert "1.0.0" in location(process.url, "other")
        succeed(released_data, "rollout", "promote", "sdk", "--to", "100")
        while "1.1.0" not in location(process.url, "other"):
            time.sleep(0.05)
        for _ in range(2):
            assert "1.0.0" in location(process.url, "late")
    why = succeed(released_data, "why", "late", "sdk")
    assert (why["version"], why["passed"]) == ("1.0.0", ["held-back"])


def location(url: str, tenant: str) -> str:
    return str(httpx.get(f"{url}/t/{tenant}/sdk/sdk.js").headers["location"])


def test_a_plan_says_who_would_move_and_changes_nothing(released_data: Path, tenants: Path) -> None:
    before = succeed(released_data, "rollout", "status", "sdk")
    start = ("rollout", "start", "sdk", "1.1.0", "--stages", "staging,25,100", "--last", "t7@done")
    started = plan(released_data, tenants, *start)
    assert (started["known"], started["moves"]) == (200, [])
    reached = {stage["stage"]: stage["tenants"] for stage in started["stages"]}
    assert list(reached) == ["staging", "25%", "100%", "done"]
    assert (reached["staging"], reached["done"]) == ([], ["t7"])
    assert succeed(released_data, "rollout", "status", "sdk") == before
    succeed(released_data, *start)
    promoted = plan(released_data, tenants, "rollout", "promote", "sdk")
    joining = next(stage["tenants"] for stage in promoted["stages"] if stage["stage"] == "25%")
    assert [move["tenant"] for move in promoted["moves"]] == joining
    assert 20 < len(joining) < 80
    succeed(released_data, "rollout", "promote", "sdk")
    gets = [succeed(released_data, "why", tenant, "sdk")["version"] for tenant in joining[:2]]
    assert gets == ["1.1.0", "1.1.0"]
    text = run(released_data, "plan", "--tenants", str(tenants), "rollback", "sdk").stdout
    assert f"sdk stable: {len(joining)} of 200 known tenants and environments move" in text
    assert "1.1.0 -> 1.0.0" in text
    assert text.splitlines()[-1] == "nothing was changed (revision 4)"


def test_every_kind_of_change_can_be_planned(released_data: Path, tenants: Path) -> None:
    one = {"tenant": "acme", "environment": "production", "before": "1.0.0", "after": "1.1.0"}
    assert plan(released_data, tenants, "pin", "set", "acme", "sdk", "1.1.0")["moves"] == [one]
    blocked = plan(released_data, tenants, "block", "set", "sdk", "1.0.0")
    assert (len(blocked["moves"]), blocked["moves"][0]["after"]) == (200, None)
    succeed(released_data, "rollout", "start", "sdk", "1.1.0", "--stages", "canary,100", "--first", "tier=free")
    assert plan(released_data, tenants, "tenant", "set", "acme", "tier=free")["moves"] == [one]


def test_a_plan_is_json_where_the_change_is_to_print_that(released_data: Path) -> None:
    change = ("pin", "set", "acme", "sdk", "1.1.0", "--json")
    planned = json.loads(run(released_data, "plan", *change).stdout)
    assert planned["channels"][0]["moves"][0]["tenant"] == "acme"


def test_a_plan_is_refused_as_the_change_would_be(released_data: Path) -> None:
    assert "no live rollout" in fail(released_data, "plan", "rollout", "promote", "sdk", code=3)
    assert "there is no build sdk@9.0.0" in fail(released_data, "plan", "block", "set", "sdk", "9.0.0", code=2)
    assert "can't be planned; what can: rollout start" in fail(released_data, "plan", "serve", code=2)


def test_what_was_made_with_the_same_key_before_is_planned_as_no_change(released_data: Path) -> None:
    change = ("rollout", "start", "sdk", "1.1.0", "--stages", "100", "--idempotency-key", "once")
    made = succeed(released_data, *change)
    planned = succeed(released_data, "plan", "--json", *change)
    assert planned == {"revision": made["revision"], "channels": []}
