"""Errors of a build in groups, with stacks in its sources: the real command, a real minified build and its map."""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from beacons.core.beacon import Beacon, FirstError, Frame, Outcome
from beacons.core.frames import frames_of
from beacons.core.groups import MAX_GROUPS
from beacons.trace import MAX_BYTES
from bundles.core.digest import digest_of
from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Version
from headrace.health_wiring import health_store
from release.core.counts import Slot
from release.core.names import PRODUCTION, Environment, Tenant
from tests.support.cli import fail, run, succeed, write_build
from tests.support.npm import SCRIPT, minified

SLOT = Slot(170_000_000)
# As V8 wrote it where `document` was missing, and of a function that has kept its name.
STACK = f"""ReferenceError: document is not defined
    at Object.J [as render] (https://cdn.example/sdk@1.0.0/{SCRIPT}:1:8925)
    at Object.cloneElement (https://cdn.example/sdk@1.0.0/{SCRIPT}:1:10261)
"""
RENDER, CLONE = frames_of(STACK, Product("sdk"), Version("1.0.0"))


def count(data: Path, *errors: FirstError, environment: Environment = PRODUCTION) -> None:
    """Have these errors counted, each of an installation of its own."""
    beacons = [
        Beacon(
            Product("sdk"),
            Version("1.0.0"),
            Tenant("acme"),
            environment,
            secrets.token_bytes(16),
            Outcome.ERRORED,
            error,
        )
        for error in errors
    ]

    async def add() -> None:
        async with health_store(data, None) as health:
            await health.counting.add(beacons, SLOT)

    anyio.run(add)


def failing(*frames: Frame) -> FirstError:
    return FirstError("TypeError", "x is not a function", frames)


def publish(data: Path, folder: Path) -> None:
    succeed(data, "publish", str(folder), "--product", "sdk", "--version", "1.0.0", "--source-maps")


def reasons(data: Path) -> Sequence[Any]:
    (group,) = succeed(data, "errors", "sdk", "1.0.0")["groups"]
    assert [frame["source"] for frame in group["frames"]] == [None] * len(group["frames"])
    return [frame["why"] for frame in group["frames"]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder, still without anything."""
    return tmp_path / "data"


def test_a_stack_is_shown_in_the_sources(data: Path) -> None:
    publish(data, minified())
    count(data, FirstError("Error", "rare", ()), *[failing(RENDER, CLONE)] * 2)
    count(data, failing(), environment=Environment("staging"))
    answer = succeed(data, "errors", "sdk", "1.0.0")
    frequent, rare = answer["groups"]
    assert (frequent["kind"], frequent["message"], frequent["units"]) == ("TypeError", "x is not a function", 2)
    assert frequent["first_seen"] == frequent["last_seen"] == "2023-11-14T22:13:20+00:00"
    assert (rare["message"], rare["units"], rare["frames"]) == ("rare", 1, [])
    # Lines of Preact's sources: `if (parentDom == document)` of render, `vnode.props` of cloneElement.
    assert frequent["frames"] == [
        {
            "path": SCRIPT,
            "line": 1,
            "column": 8925,
            "function": "Object.J",
            "why": None,
            "source": {"source": "../src/render.js", "line": 16, "column": 19, "function": "render"},
        },
        {
            "path": SCRIPT,
            "line": 1,
            "column": 10261,
            "function": "Object.cloneElement",
            "why": None,
            "source": {"source": "../src/clone-element.js", "line": 15, "column": 41, "function": ""},
        },
    ]
    lines = run(data, "errors", "sdk", "1.0.0").stdout.splitlines()
    assert lines[:5] == [
        "sdk@1.0.0 (production): 2 groups of errors",
        "",
        "2 units: TypeError: x is not a function",
        "  from 2023-11-14T22:13:20+00:00 to 2023-11-14T22:13:20+00:00",
        "  at render ../src/render.js:16:19",
    ]
    assert lines[5] == "  at Object.cloneElement ../src/clone-element.js:15:41"
    staging = run(data, "errors", "sdk", "1.0.0", "--environment", "staging").stdout
    assert "1 group of errors" in staging


def test_the_named_lines_are_those_of_the_sources() -> None:
    """The map itself holds the sources: what the test above expects is what stands there."""
    sources = json.loads((minified() / f"{SCRIPT}.map").read_text())
    texts = dict(zip(sources["sources"], sources["sourcesContent"], strict=True))
    assert texts["../src/render.js"].splitlines()[15][18:].startswith("document")
    assert texts["../src/clone-element.js"].splitlines()[14][40:].startswith("props")


def test_without_the_library_a_stack_stays_as_published(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(data, minified())
    count(data, failing(RENDER))
    write_build(tmp_path / "none", {"symbolic.py": "raise ModuleNotFoundError('symbolic')"})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "none"))
    assert reasons(data) == ["no source map is read here: install headrace[source-maps] for that"]


def test_what_can_not_be_traced_stays_as_published(data: Path, tmp_path: Path) -> None:
    map_of_none = json.dumps({"version": 3, "sources": ["a"], "names": [], "mappings": "!!!"})
    files: dict[str, str | bytes] = {
        "bare.js": "one();\n",
        "bad.js": "one();\n",
        "bad.js.map": map_of_none,
        "huge.js": "one();\n",
        "huge.js.map": " " * (MAX_BYTES + 1),
        "lost.js": "lost();\n",
        "lost.js.map": '{"version":3,"sources":[],"names":[],"mappings":""}\n',
        SCRIPT: (minified() / SCRIPT).read_bytes(),
        f"{SCRIPT}.map": (minified() / f"{SCRIPT}.map").read_bytes(),
    }
    publish(data, write_build(tmp_path / "dist", files))
    digest = digest_of(b"lost();\n")
    (blob,) = (data / "store" / "blobs").rglob(f"*{digest}*")
    blob.chmod(0o600)
    blob.write_bytes(b"gone();\n")
    script = minified() / SCRIPT
    first, *_ = script.read_text().split("\n")
    places = [
        *((name, 1, 1) for name in ("none.js", "bare.js", "bad.js", "huge.js", "lost.js")),
        (SCRIPT, 1, len(first.encode("utf-16-le")) // 2 + 2),
        (SCRIPT, 1_000, 1),
        (SCRIPT, 999_999_999, 999_999_999),
    ]
    count(data, failing(*(Frame(ArtifactPath(path), line, column, "f") for path, line, column in places)))
    whys = reasons(data)
    expected = [
        "no such file",
        "--source-maps",
        "can't be read",
        f"more than {MAX_BYTES} bytes",
        "damaged",
        *["knows no such place"] * 3,
    ]
    assert all(part in why for part, why in zip(expected, whys, strict=True)), whys
    text = run(data, "errors", "sdk", "1.0.0")
    assert (text.returncode, text.stderr) == (0, "")
    assert "  at f bare.js:1:1\n" in text.stdout
    assert text.stdout.count(f"  as published: {SCRIPT}: the source map knows no such place\n") == 1


def test_errors_are_shown_where_the_build_can_not_be_read(data: Path, tmp_path: Path) -> None:
    count(data, failing(RENDER))
    assert "no public keys" in reasons(data)[0]
    other = write_build(tmp_path / "dist", {"sdk.js": "sdk();\n"})
    succeed(data, "publish", str(other), "--product", "sdk", "--version", "2.0.0")
    assert reasons(data) == ["the build is not in the store"]
    assert succeed(data, "errors", "sdk", "2.0.0")["groups"] == []
    assert "there is no build sdk@3.0.0" in fail(data, "errors", "sdk", "3.0.0", code=2)
    assert "environment" in fail(data, "errors", "sdk", "1.0.0", "--environment", "No!", code=2)
    assert "health database" in fail(data, "errors", "sdk", "1.0.0", "--health-database", "ftp://x/y", code=2)


def test_nothing_that_was_sent_reaches_the_terminal_as_a_command(data: Path, tmp_path: Path) -> None:
    evil = "[bold]:smile: \x1b[31m\u202e\x9b\r\nline"
    told = "[bold]:smile: \\x1b[31m\\u202e\\x9b\\r\\nline"
    source_map = {"version": 3, "sources": [evil], "names": [evil], "mappings": "AAAAA"}
    files: dict[str, str | bytes] = {"sdk.js": "sdk();\n", "sdk.js.map": json.dumps(source_map)}
    publish(data, write_build(tmp_path / "dist", files))
    count(data, FirstError(evil, evil, (Frame(ArtifactPath("sdk.js"), 1, 1, evil),)))
    count(data, *(FirstError("Error", f"{number}", ()) for number in range(MAX_GROUPS)))
    lines = run(data, "errors", "sdk", "1.0.0").stdout.splitlines()
    assert f"1 unit: {told}: {told}" in lines
    assert f"  at {told} {told}:1:1" in lines
    assert "1 unit: errors of yet other kinds" in lines
    (group,) = [each for each in succeed(data, "errors", "sdk", "1.0.0")["groups"] if each["frames"]]
    assert (group["kind"], group["frames"][0]["source"]["source"]) == (told, told)
