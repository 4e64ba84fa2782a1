"""`headrace events` and `headrace diff REV1 REV2` on real processes.

Each change is told once, whatever happens to who reads and to what is read.
"""

import contextlib
import json
import select
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from release.core.audit import Row, open_row, seal_entry
from release.trail import MOST_AT_ONCE
from tests.headrace.test_audit import tamper
from tests.support.cli import HEADRACE, environment, fail, publish, release, run, succeed
from tests.support.postgresql import PostgresServer
from tests.support.processes import controller

SECONDS = 30


class Follower:
    """A process that follows, read line by line."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [HEADRACE, "events", "--follow", "--json", *arguments],
            bufsize=0,  # what is told must not be read ahead: `select` would not see it
            env=environment(data),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def next(self) -> Any:
        """The next change."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        assert ready, "nothing was told"
        return json.loads(self.process.stdout.readline())

    def told(self) -> list[str]:
        """Ends it by Ctrl-C; what it said on stderr."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=SECONDS)
        assert (self.process.returncode, out) == (130, b"")
        return err.decode().splitlines()


@contextlib.contextmanager
def following(data: Path, *arguments: str) -> Iterator[Follower]:
    follower = Follower(data, *arguments)
    try:
        yield follower
    finally:
        follower.process.kill()
        follower.process.communicate()


def events(data: Path, *arguments: str) -> list[dict[str, Any]]:
    """What is printed now."""
    result = run(data, "events", "--json", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_change_is_a_line_and_a_pipeline_can_resume(released_data: Path) -> None:
    succeed(released_data, "pin", "set", "acme", "sdk", "1.0.0", "--reason", "tested")
    succeed(released_data, "tenant", "set", "acme", "tier=free")
    succeed(released_data, "block", "set", "sdk", "1.1.0", "--reason", "it leaks")
    found = events(released_data)
    assert [(each["revision"], each["verb"], each["subject"], each["severity"]) for each in found] == [
        (1, "start", "stable", "info"),
        (2, "promote", "stable", "info"),
        (3, "pin-set", "acme~production", None),
        (4, "tenant-set", "acme", None),
        (5, "block-set", "1.1.0", "warning"),
    ]
    assert (found[2]["actor"], found[2]["reason"], found[2]["product"]) == ("sam", "tested", "sdk")
    assert events(released_data, "--since", "3") == found[3:]
    assert [each["revision"] for each in events(released_data, "sdk")] == [1, 2, 3, 5]
    assert events(released_data, "other") == events(released_data, "--since", "5") == []
    text = run(released_data, "events", "--since", "4").stdout
    assert text == f"5  {found[4]['at']}  sam  block-set sdk 1.1.0  it leaks  [warning]\n"


def test_more_changes_than_are_read_at_once_are_each_told_once(released_data: Path) -> None:
    last = 2 * MOST_AT_ONCE + 1
    with contextlib.closing(sqlite3.connect(released_data / "control.db")) as connection, connection:
        columns = "SELECT revision, product, entry, hash FROM audit_entries WHERE revision = 2"
        row = Row(*connection.execute(columns).fetchone())
        for revision in range(3, last + 1):
            entry = msgspec.structs.replace(open_row(row), revision=revision, previous=row.hash)
            row = seal_entry(entry)
            connection.execute("INSERT INTO audit_entries VALUES (?, ?, ?, ?)", msgspec.structs.astuple(row))
        connection.execute("UPDATE current_revision SET revision = ?, audit_head = ?", (last, row.hash))
    assert [each["revision"] for each in events(released_data)] == list(range(1, last + 1))


def test_a_database_that_does_not_go_on_from_what_was_read_is_told(released_data: Path) -> None:
    assert "is at revision 2, before 7: it was restored" in fail(released_data, "events", "--since", "7", code=5)
    with following(released_data) as follower:
        assert [follower.next()["revision"] for _ in range(2)] == [1, 2]
        tamper(released_data, "UPDATE current_revision SET audit_head = 'another'")
        _, err = follower.process.communicate(timeout=SECONDS)
        assert follower.process.returncode == 5
        assert b"has other changes up to revision 2 than were read" in err
    tamper(released_data, "UPDATE audit_entries SET entry = 'x' WHERE revision = 1")
    assert "revision 1 of the audit trail is damaged" in fail(released_data, "events", code=1)


def test_what_a_controller_does_is_followed_until_ctrl_c(released_data: Path) -> None:
    succeed(released_data, "rollout", "start", "sdk", "1.1.0", "--stages", "25@0s,100")
    with following(released_data, "sdk", "--since", "2") as follower:
        assert follower.next()["verb"] == "start"
        with controller(released_data):
            promoted = follower.next()
        assert (promoted["revision"], promoted["actor"], promoted["verb"]) == (4, "controller", "promote")
        succeed(released_data, "rollback", "sdk")
        rolled_back = follower.next()
        assert (rolled_back["revision"], rolled_back["severity"]) == (5, "warning")
        assert follower.told() == []


@pytest.mark.parametrize("arguments", [[], ["--follow"], ["--follow", "--since", "2"]], ids=" ".join)
def test_a_reader_that_has_enough_ends_it_quietly(released_data: Path, arguments: list[str]) -> None:
    process = subprocess.Popen(
        [HEADRACE, "events", *arguments],
        env=environment(released_data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(SECONDS) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_database_that_is_away_loses_and_repeats_nothing(
    postgresql: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    publish(data, tmp_path, "1.0.0")
    monkeypatch.setenv("HEADRACE_DATABASE", postgresql.new_database())
    release(data, "1.0.0")
    with following(data) as follower:
        assert [follower.next()["revision"] for _ in range(2)] == [1, 2]
        postgresql.stop()
        try:
            assert follower.process.stderr is not None
            away = json.loads(follower.process.stderr.readline())
            assert away["event"] == "waiting for the control database"
            time.sleep(2)  # it looks again, and has nothing new to say
        finally:
            postgresql.start()
        succeed(data, "pin", "set", "acme", "sdk", "1.0.0")
        succeed(data, "pin", "clear", "acme", "sdk")
        assert [follower.next()["revision"] for _ in range(2)] == [3, 4]
        assert [json.loads(line)["event"] for line in follower.told()] == ["the control database is back"]


def test_two_revisions_are_compared_by_what_is_other_at_their_ends(released_data: Path) -> None:
    succeed(released_data, "rollout", "start", "sdk", "1.1.0", "--stages", "canary,100")
    succeed(released_data, "pin", "set", "acme", "sdk", "1.0.0", "--until", "2999-01-31", "--reason", "tested")
    succeed(released_data, "block", "set", "sdk", "1.0.0")
    succeed(released_data, "block", "clear", "sdk", "1.0.0")
    found = succeed(released_data, "diff", "2", "6")
    assert (found["before"], found["after"], found["unknown"]) == (2, 6, [])
    assert [change["place"] for change in found["changes"]] == ["channels/sdk/stable", "pins/sdk/acme/production"]
    pin = found["changes"][1]
    assert (pin["before"], pin["after"]["target"]) == (None, "1.0.0")
    back = succeed(released_data, "diff", "6", "2")["changes"]
    assert [(each["before"], each["after"]) for each in back] == [
        (each["after"], each["before"]) for each in found["changes"]
    ]
    lines = run(released_data, "diff", "0", "6").stdout.splitlines()
    assert lines[:3] == ["revision 0 to 6: 2 places differ", "channel sdk stable", "  stable: none -> 1.0.0"]
    assert lines[3].startswith("  rollout: none -> 1.1.0 at canary since 20")
    assert lines[4:] == [
        "pin sdk acme production",
        "  author: none -> sam",
        "  expires_at: none -> 2999-01-31T00:00:00+00:00",
        "  reason: none -> tested",
        "  target: none -> 1.0.0",
    ]
    assert run(released_data, "diff", "4", "4").stdout == "revision 4 to 4: nothing differs\n"


def test_revisions_that_can_not_be_compared_are_told(released_data: Path) -> None:
    assert "there is no revision 9 yet" in fail(released_data, "diff", "1", "9", code=2)
    assert "or two revisions, as in 12 20" in fail(released_data, "diff", "1", "sdk", code=2)
    assert "--markdown and --source-maps are of builds" in fail(
        released_data, "diff", "1", "2", "--markdown", code=2
    )
    tamper(
        released_data,
        "UPDATE audit_entries SET entry = json_set(entry, '$.before', NULL, '$.after', NULL) WHERE revision = 2",
    )
    assert succeed(released_data, "diff", "0", "2")["unknown"] == [2]
    assert "these revisions changed, which did not keep it: 2" in run(released_data, "diff", "1", "2").stdout
    tamper(released_data, "DELETE FROM audit_entries WHERE revision = 1")
    assert "revision 1 of the audit trail is missing" in fail(released_data, "diff", "0", "2", code=1)


def test_who_takes_a_build_as_one_word(released_data: Path) -> None:
    succeed(released_data, "pin", "set", "acme", "sdk", "1.0.0")
    found = succeed(released_data, "who", "sdk@1.0.0")
    assert found == succeed(released_data, "who", "sdk", "1.0.0")
    assert [holder["tenant"] for holder in found["holders"]] == ["acme"]
    assert "'sdk' is no build: write product@version" in fail(released_data, "who", "sdk", code=2)
