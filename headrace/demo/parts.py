"""The demo's real parts: `headrace` itself, as commands that end and as processes that stay."""

import json
import os
import subprocess
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from bundles.core.errors import Failed

_TICK_SECONDS = 0.05
_PATIENCE_TICKS = 600
_COMMAND = (sys.executable, "-c", "from headrace.cli import main; main()")


async def run_verb(data: Path, *arguments: str) -> Any:
    """Run a verb with --json in a process of its own. Returns its payload; raises `Failed` where it fails."""
    process = await create_subprocess_exec(
        *_COMMAND,
        *arguments,
        "--json",
        env=_environment(data),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise Failed(f"`headrace {' '.join(arguments)}` failed: {errors.decode().strip()}")
    return json.loads(output)


@asynccontextmanager
async def running(data: Path, log: Path, ready_event: str, *arguments: str) -> AsyncIterator[dict[str, Any]]:
    """A verb that stays, until the end of the block. Yields the log line that says that it is ready."""
    with log.open("wb") as file:
        process = await create_subprocess_exec(
            *_COMMAND,
            *arguments,
            env=_environment(data),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
    try:
        yield await _ready(process, log, ready_event)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(process: Process, log: Path, event: str) -> dict[str, Any]:
    for _ in range(_PATIENCE_TICKS):
        lines = (await anyio.Path(log).read_text(errors="replace")).splitlines(keepends=True)
        for line in lines:
            if line.startswith("{") and line.endswith("\n") and json.loads(line).get("event") == event:
                return dict(json.loads(line))
        if process.returncode is not None:
            break
        await anyio.sleep(_TICK_SECONDS)
    said = lines[-1].strip() if lines else "it said nothing"
    raise Failed(f"a process of the demo was not ready in time: {said}")


def _environment(data: Path) -> dict[str, str]:
    """The demo's own data folder and its database, whatever the user's are."""
    return {**os.environ, "HEADRACE_DATA": str(data), "HEADRACE_DATABASE": "", "HEADRACE_ACTOR": "demo"}
