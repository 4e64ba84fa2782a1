"""The audit trail from the command line, as an auditor uses it."""

import contextlib
import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import run, succeed

DOCS = Path(__file__).parents[2] / "docs" / "control-plane.md"


def tamper(data: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(data / "control.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_an_export_is_checked_by_the_program_in_the_docs(released_data: Path) -> None:
    succeed(released_data, "pin", "set", "acme", "sdk", "1.0.0", "--reason", 'caf\u00e9 \u2603 "x"')
    exported = run(released_data, "audit", "export")
    assert exported.returncode == 0
    assert [json.loads(line)["verb"] for line in exported.stdout.splitlines()] == ["start", "promote", "pin-set"]
    program = re.search(r"(?:^    .*\n)+", DOCS.read_text().partition("eight lines of Python")[2], re.MULTILINE)
    assert program is not None
    check = [sys.executable, "-c", re.sub(r"^    ", "", program[0], flags=re.MULTILINE)]
    subprocess.run(check, input=exported.stdout, text=True, check=True)
    forged = subprocess.run(
        check, input=exported.stdout.replace("caf\u00e9", "cafe"), text=True, check=False, capture_output=True
    )
    assert "AssertionError: 3" in forged.stderr


def test_history_says_who_did_what_and_why(released_data: Path) -> None:
    succeed(released_data, "pin", "set", "acme", "sdk", "1.0.0", "--reason", "tested")
    changes = succeed(released_data, "history", "sdk")
    assert [(each["revision"], each["verb"], each["reason"]) for each in changes] == [
        (1, "start", ""),
        (2, "promote", ""),
        (3, "pin-set", "tested"),
    ]
    assert changes[2]["before"] == {"pins/sdk/acme/production": None}
    assert changes[2]["after"]["pins/sdk/acme/production"]["target"] == "1.0.0"
    assert [each["revision"] for each in succeed(released_data, "history", "sdk", "stable")] == [1, 2]
    assert [each["revision"] for each in succeed(released_data, "history", "sdk", "--limit", "1")] == [3]
    assert "pin-set acme~production" in run(released_data, "history", "sdk").stdout
    assert succeed(released_data, "history", "other") == []


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (
            ["UPDATE audit_entries SET entry = replace(entry, 'sam', 'kim') WHERE revision = 1"],
            "revision 1 was altered",
        ),
        (["UPDATE audit_entries SET entry = x'ff00' WHERE revision = 2"], "revision 2 was altered"),
        (["DELETE FROM audit_entries WHERE revision = 1"], "revision 1 is missing"),
        (
            [
                "DELETE FROM audit_entries WHERE revision = 2",
                "UPDATE current_revision SET revision = 1, audit_head = (SELECT hash FROM audit_entries)",
            ],
            "revision 2 is missing",
        ),
    ],
)
def test_verify_names_each_row_that_is_not_as_it_was_written(
    released_data: Path, statements: list[str], named: str
) -> None:
    assert succeed(released_data, "audit", "verify") == {"revision": 2, "vouched_for": 2, "faults": []}
    tamper(released_data, *statements)
    found = run(released_data, "audit", "verify")
    assert found.returncode == 1
    assert named in found.stdout
    assert found.stderr == ""


def test_a_key_on_the_command_line_makes_a_change_once(released_data: Path) -> None:
    once = ["rollout", "start", "sdk", "1.1.0", "--idempotency-key", "deploy-17"]
    first = succeed(released_data, *once)
    assert succeed(released_data, *once) == first
    assert first["revision"] == 3
    refused = run(released_data, "rollout", "abort", "sdk", "--idempotency-key", "deploy-17")
    assert refused.returncode == 5
    assert "was used for another request" in refused.stderr


def test_a_database_that_came_to_its_revision_by_other_changes_is_told(released_data: Path) -> None:
    tamper(released_data, "UPDATE current_revision SET audit_head = 'another'")
    failed = run(released_data, "retire", "sdk", "--apply")
    assert failed.returncode == 1
    assert "both at revision 2, but have come there by different changes" in failed.stderr
