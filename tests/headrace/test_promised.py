"""Within version 1 no field of the JSON is removed or changed, of verbs or of the API."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.promised import FILE, broken, promises

DOCS = Path(__file__).parents[2] / "docs"
WHY, API = "cli/schemas/why.json", "openapi.json"
ROLLOUT = "/api/v1/products/{product}/channels/{channel}/rollout"


def test_what_was_promised_is_kept_and_what_is_new_is_promised() -> None:
    kept, made = (DOCS / FILE).read_text().splitlines(), promises(DOCS)
    assert broken(kept, made) == [], "within version 1 nothing is removed or changed"
    assert broken(made, kept) == [], "run `make docs`"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "cli" / "schemas").mkdir(parents=True)
    for name in (WHY, API):
        shutil.copy(DOCS / name, tmp_path / name)
    (tmp_path / FILE).write_text("\n".join([*promises(tmp_path), ""]))
    return tmp_path


def make(docs: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "headrace.promised", str(docs)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def change(file: Path, how: Callable[[Any], object]) -> None:
    document = json.loads(file.read_text())
    how(document)
    file.write_text(json.dumps(document))


def view(document: Any) -> Any:
    return document["$defs"]["ResolutionView"]


def body(document: Any) -> Any:
    return document["components"]["schemas"]["StartRolloutBody"]


@pytest.mark.parametrize(
    ("file", "how", "lost"),
    [
        (WHY, lambda d: view(d)["properties"].pop("rule"), "headrace why --json.rule: string"),
        (WHY, lambda d: view(d)["properties"]["rule"].update(type="integer"), "headrace why --json.rule: string"),
        (WHY, lambda d: view(d)["required"].remove("rule"), "headrace why --json.rule: string"),
        (API, lambda d: d["paths"].pop(ROLLOUT), "startRollout is POST"),
        (API, lambda d: body(d)["required"].append("reason"), "startRollout body must have: candidate"),
        (API, lambda d: body(d)["properties"].pop("reason"), "startRollout body.reason takes string"),
    ],
)
def test_the_docs_are_not_made_where_a_promise_would_be_broken(
    docs: Path, file: str, how: Callable[[Any], object], lost: str
) -> None:
    kept = (docs / FILE).read_text()
    change(docs / file, how)
    result = make(docs)
    assert result.returncode == 1
    assert lost in result.stderr
    assert (docs / FILE).read_text() == kept


def test_a_field_is_added_to_what_is_promised(docs: Path) -> None:
    change(docs / WHY, lambda d: view(d)["properties"].update(mood={"enum": ["calm", "wild"]}))
    assert make(docs).returncode == 0
    added = (docs / FILE).read_text().splitlines()
    assert {"headrace why --json.mood?: string", 'headrace why --json.mood may be "calm"'} <= set(added)
