"""`headrace apply`: what a file declares is made so, what differs is shown, and nothing else is touched."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import fail, run, succeed

ALL = """
[[rollout]]
stages = "staging,100"

[[person]]
person = "Ada@example.com"
roles = ["releaser", "approver"]
products = ["sdk"]

[[person]]
person = "group:admins"
roles = ["admin"]
products = ["*"]

[[publisher]]
name = "sdk"
service = "github"
repository = "acme/sdk"
owner_id = "9919"
workflow = "release.yml"
environment = "production"
refs = ["refs/tags/v*"]
products = ["sdk"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "policy.toml"
    written.write_text(ALL)
    return written


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def revision(data: Path) -> int:
    """Of the routing table, by the last change that there was."""
    return max((each["revision"] for each in _events(data)), default=0)


def _events(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(data, "events", "--json").stdout.splitlines()]


def test_a_file_is_made_so_and_applied_again_changes_nothing(data: Path, file: Path) -> None:
    applied = succeed(data, "apply", str(file), "--reason", "to begin")
    assert [(each["what"], each["kind"], each["name"]) for each in applied["changes"]] == [
        ("add", "policy", "in force"),
        ("add", "publisher", "sdk"),
        ("add", "person", "ada@example.com"),
        ("add", "person", "group:admins"),
    ]
    made = revision(data)
    assert succeed(data, "apply", str(file)) == {"changes": [], "applied": True}
    assert run(data, "apply", str(file)).stdout == "all is as the file declares it\n"
    assert revision(data) == made == 4
    assert {each["reason"] for each in _events(data)} == {"to begin"}


def test_what_would_change_is_told_and_not_made(data: Path, file: Path) -> None:
    succeed(data, "apply", str(file))
    before = revision(data)
    file.write_text(
        ALL.replace('"staging,100"', '"staging,canary,100"').replace('["releaser", "approver"]', '["viewer"]')
    )
    told = run(data, "apply", str(file), "--dry-run").stdout
    assert "~ policy in force\n    rollout.0.stages: staging,100 -> staging,canary,100\n" in told
    assert "~ person ada@example.com\n    roles.0: approver -> viewer\n    roles.1: releaser -> none\n" in told
    assert told.endswith("2 would change; nothing was changed\n")
    assert revision(data) == before


def test_what_is_not_declared_any_more_is_removed_and_what_never_was_is_left(data: Path, file: Path) -> None:
    succeed(data, "apply", str(file))
    file.write_text('[[person]]\nperson = "group:admins"\nroles = ["admin"]\nproducts = ["*"]\n')
    [removed] = succeed(data, "apply", str(file))["changes"]
    assert (removed["what"], removed["name"]) == ("remove", "ada@example.com")
    assert succeed(data, "policy", "show")["rollout"]
    file.write_text("publisher = []\n")
    assert [each["kind"] for each in succeed(data, "apply", str(file))["changes"]] == ["publisher"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("colour = 1\n", "colour"),
        ('[[person]]\nperson = "x"\nroles = ["viewer"]\nproducts = ["*"]\n', "person 1"),
        ('[[person]]\nperson = "a@b.c"\nroles = ["king"]\nproducts = ["*"]\n', "king"),
        ('[[person]]\nperson = "a@b.c"\nroles = ["viewer"]\n', "products"),
        ("person = 3\n", "[[person]]"),
        ('[[person]]\nperson = "a@b.c"\nroles = ["viewer"]\nproducts = ["*"]\n' * 2, "declared twice"),
        ('[[publisher]]\nname = "sdk"\n', "publisher 1"),
    ],
)
def test_what_makes_no_sense_is_told_and_changes_nothing(data: Path, file: Path, written: str, told: str) -> None:
    file.write_text(written)
    line = fail(data, "apply", str(file), code=2)
    assert told in line
    assert revision(data) == 0


def test_where_one_change_is_refused_those_before_it_are_made(data: Path, file: Path) -> None:
    file.write_text(ALL.replace('owner_id = "9919"', 'repository_id = "1"'))
    assert "owner_id" in fail(data, "apply", str(file), code=2)
    assert revision(data) == 1
    file.write_text(ALL)
    assert [each["kind"] for each in succeed(data, "apply", str(file))["changes"]] == [
        "publisher",
        "person",
        "person",
    ]


def test_people_are_granted_and_listed_one_by_one_too(data: Path, file: Path) -> None:
    assert run(data, "person", "list").stdout == "nobody may log in\n"
    granted = succeed(data, "person", "set", "Ada@example.com", "--role", "releaser", "--product", "sdk")
    assert granted == {"person": "ada@example.com", "roles": ["releaser"], "products": ["sdk"], "tenant": None}
    succeed(data, "apply", str(file))
    assert [each["person"] for each in succeed(data, "person", "list")] == ["ada@example.com", "group:admins"]
    assert "acme/sdk" in run(data, "publisher", "list").stdout
    assert succeed(data, "person", "remove", "ada@example.com")["person"] == "ada@example.com"
    assert succeed(data, "publisher", "remove", "sdk")["name"] == "sdk"
    assert run(data, "publisher", "list").stdout == "no publisher is trusted\n"
    assert "nothing was granted" in fail(data, "person", "remove", "ada@example.com", code=2)
