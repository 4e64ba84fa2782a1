"""Tokens on the command line: the secret is told once, on stdout alone."""

import re
from pathlib import Path

from tests.support.cli import fail, run, succeed


def test_a_token_is_made_listed_rotated_and_revoked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = run(data, "token", "create", "ci", "--role", "releaser", "--product", "posthog-*", "--expires", "30d")
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"hdr_[0-9A-Za-z]{36}\n", made.stdout)
    assert "it is not shown again" in made.stderr
    secret = made.stdout.strip()
    assert secret not in made.stderr
    (listed,) = succeed(data, "token", "list")
    assert (listed["name"], listed["roles"], listed["products"]) == ("ci", ["releaser"], ["posthog-*"])
    assert (listed["state"], listed["created_by"], listed["last_used_at"]) == ("valid", "sam", None)
    rotated = succeed(data, "token", "rotate", listed["id"], "--overlap", "0s", "--idempotency-key", "k")
    again = succeed(data, "token", "rotate", listed["id"], "--overlap", "0s", "--idempotency-key", "k")
    assert (again["token"]["id"], again["secret"]) == (rotated["token"]["id"], None)
    assert rotated["secret"] not in (None, secret)
    revoked = succeed(data, "token", "revoke", rotated["token"]["id"], "--reason", "the laptop is lost")
    assert revoked["state"] == "ended"
    assert [each["state"] for each in succeed(data, "token", "list")] == ["ended"]
    for kept in (path.read_bytes() for path in data.rglob("*") if path.is_file()):
        assert secret.encode() not in kept
        assert rotated["secret"].encode() not in kept


def test_what_makes_no_sense_makes_no_token(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert "a customer has its tenant" in fail(data, "token", "create", "acme", "--role", "customer", code=2)
    assert "at most 400 days" in fail(
        data, "token", "create", "x", "--role", "viewer", "--expires", "401d", code=2
    )
    assert "there is no token" in fail(data, "token", "revoke", "0" * 16, code=2)
    assert succeed(data, "token", "list") == []
    assert succeed(data, "audit", "refusals") == []
