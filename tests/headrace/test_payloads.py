"""What verbs print with --json is as the schemas in docs/cli have it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from headrace.payloads import LINES, PAYLOADS, schema_of
from tests.support.cli import leaves, publish, release, run

# In this order on one data folder: each finds what those before it have left.
RUNS = [
    "rollout start sdk 1.1.0 --canary acme --stages staging,canary,100",
    "plan rollout abort sdk",
    "why acme sdk",
    "who sdk@1.1.0",
    "pin set acme sdk 1.0.0",
    "pin list sdk",
    "block set sdk 1.1.0",
    "diff sdk@1.0.0 sdk@1.1.0",
    "diff 1 2",
    "keys resign",
    "publish {folder}/sdk-1.0.0 --product sdk --version 1.2.0",
    "history sdk",
    "events",
    "audit export",
    "audit verify",
    "doctor",
]
ENDS = {0, 1, 7}  # where a verb has looked and found a fault, or a rollout that was taken back, it tells that


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("payloads")
    publish(folder / "data", folder, "1.0.0")
    publish(folder / "data", folder, "1.1.0")
    release(folder / "data", "1.0.0")
    return folder


def test_what_verbs_print_is_as_their_schemas_have_it(released: Path) -> None:
    for typed in RUNS:
        words = typed.format(folder=released).split()
        verb = next(verb for verb in (*PAYLOADS, *LINES) if words[: len(verb.split())] == verb.split())
        result = run(released / "data", *verb.split(), "--json", *words[len(verb.split()) :])
        assert result.returncode in ENDS, (typed, result.stderr)
        documents = result.stdout.splitlines() if verb in LINES else [result.stdout]
        assert result.stdout, (typed, result.stderr)
        for document in documents:
            closed = Draft202012Validator(_closed(schema_of(verb)))
            assert [fault.message for fault in closed.iter_errors(json.loads(document))] == [], typed


def _closed(schema: Any) -> Any:
    """The same, with no room for fields that it does not name: that is for later ones."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(each) for name, each in schema.items()}
    return {**closed, "additionalProperties": False} if isinstance(closed.get("properties"), dict) else closed


def test_every_verb_is_declared() -> None:
    assert sorted([*PAYLOADS, *LINES]) == sorted(leaves())


@pytest.mark.parametrize("verb", [*PAYLOADS, *LINES])
def test_the_schemas_are_schemas(verb: str) -> None:
    Draft202012Validator.check_schema(schema_of(verb))
