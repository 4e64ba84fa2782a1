"""The supervisor's races, which real workers seldom meet: here their processes are stubs, and slow to begin."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import pytest

from origin.workers import Supervisor

pytestmark = pytest.mark.anyio

SAYS_THAT_IT_LISTENS = """
import os, signal, socket
socket.socket(fileno=int(os.environ["HEADRACE_WORKER"].split(",")[2])).send(b"L")
signal.pause()
"""


async def test_a_stop_that_meets_the_start_of_a_worker_stops_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, reload = tmp_path / "worker.py", tmp_path / "reload.sock"
    script.write_text(SAYS_THAT_IT_LISTENS)
    spawn, spawned = asyncio.create_subprocess_exec, asyncio.Event()

    async def spawn_slowly(*arguments: Any, **options: Any) -> Process:
        process = await spawn(*arguments, **options)
        spawned.set()
        await asyncio.sleep(0.1)
        return process

    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn_slowly)
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        async with asyncio.timeout(60):
            running = asyncio.create_task(Supervisor((first, second), 1, reload).run())
            while not reload.exists():
                await asyncio.sleep(0.01)
            spawned.clear()
            os.kill(os.getpid(), signal.SIGHUP)
            await spawned.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await running
