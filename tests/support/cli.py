"""The real `headrace` command, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrace.cli import VERBS
from headrace.late import load_verb

HEADRACE = Path(sys.executable).with_name("headrace")
TIMEOUT_SECONDS = 60


def environment(data: Path) -> dict[str, str]:
    """The environment that the command runs in: its data folder, and no terminal's colours."""
    return {**os.environ, "HEADRACE_DATA": str(data), "HEADRACE_ACTOR": "sam", "NO_COLOR": "1"}


def leaves() -> Iterator[str]:
    """Every verb that can be run, as in `rollout start`."""
    for verb in VERBS:
        below = getattr(load_verb(verb), "commands", {})
        yield from [f"{verb} {each}" for each in below] or [verb]


def run(data: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run one verb to its end."""
    return subprocess.run(
        [HEADRACE, *arguments],
        env=environment(data),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def succeed(data: Path, *arguments: str) -> Any:
    """Run a verb with --json; it must succeed. Returns its payload."""
    result = run(data, *arguments, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def fail(data: Path, *arguments: str, code: int, cwd: Path | None = None) -> str:
    """Run a verb that must fail with this code, one line on stderr and nothing on stdout. Returns the line."""
    result = run(data, *arguments, cwd=cwd)
    assert result.returncode == code, (result.returncode, result.stderr)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("headrace: ")
    return lines[0]


def write_build(folder: Path, files: dict[str, str | bytes]) -> Path:
    """A build system's output."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def publish(data: Path, folder: Path, version: str, marker: str = "", product: str = "sdk") -> None:
    """Publish a small build of its own for this version."""
    source = write_build(
        folder / f"{product.replace('/', '-')}-{version}",
        {
            "sdk.js": f"globalThis.sdk = {{version: '{version}{marker}'}};\n"
            + "// padding for compressors\n" * 40,
            "lib/extra.mjs": f"export default '{version}';\n",
            "data.json": '{"some": "data", "more": "data"}\n' * 30,
        },
    )
    succeed(data, "publish", str(source), "--product", product, "--version", version)


def release(data: Path, version: str, product: str = "sdk", channel: str = "stable") -> None:
    """Make a published build the stable one, for everyone."""
    succeed(data, "rollout", "start", product, version, "--stages", "100", "--channel", channel)
    succeed(data, "rollout", "promote", product, "--channel", channel)
