"""Several origins on the same listeners: a supervisor starts them, replaces those that end, and renews them all.

The supervisor opens the listeners and hands them on, so that no connection is lost while workers come and go: what
one does not accept any more, another does. Between the supervisor and each worker there is a pair of sockets: the
worker says on it that it listens, and sees by its end that the supervisor is gone.
"""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec
import structlog
from prometheus_client.multiprocess import mark_process_dead

from bundles.core.errors import Failed
from origin.metrics import FOLDER_VARIABLE
from origin.reload import reload_socket

_log = structlog.get_logger()

_SEAT_VARIABLE = "HEADRACE_WORKER"
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 1.0
_LISTENING = b"L"


class Seat(msgspec.Struct, frozen=True):
    """What a worker is given: the listeners of the data plane and of the probes, and the supervisor's socket."""

    listeners: tuple[socket.socket, socket.socket]
    supervisor: socket.socket

    @classmethod
    def taken(cls) -> Self | None:
        """This process's seat; None for a process that is no worker."""
        numbers = os.environ.get(_SEAT_VARIABLE)
        if numbers is None:
            return None
        data_plane, probes, supervisor = (socket.socket(fileno=int(number)) for number in numbers.split(","))
        return cls((data_plane, probes), supervisor)

    def when_left_alone(self, act: Callable[[], None]) -> None:
        """Do this once, when the supervisor is gone: what was killed must not leave workers behind."""
        loop = asyncio.get_running_loop()

        def left_alone() -> None:
            loop.remove_reader(self.supervisor)
            act()

        loop.add_reader(self.supervisor, left_alone)

    def tell_listening(self) -> None:
        """Let the supervisor know that this worker answers."""
        self.supervisor.send(_LISTENING)


class _Worker:
    """A worker's process. One that is wanted is replaced when it ends."""

    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket, *, is_wanted: bool) -> None:
        self.process = process
        self.is_wanted = is_wanted
        self._line = line
        self._told = asyncio.create_task(self._is_told())

    async def listens(self) -> bool:
        """True once it answers; False where it ended, or takes too long."""
        return await self._told and self.process.returncode is None

    def retire(self) -> None:
        """Let it finish what it has begun and end."""
        self.is_wanted = False
        if self.process.returncode is None:
            self.process.terminate()

    async def end(self) -> int:
        """Wait for its end. Its exit code."""
        code = await self.process.wait()
        await self._told
        self._line.close()
        return code

    async def _is_told(self) -> bool:
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(loop.sock_recv(self._line, 1), _PATIENCE_SECONDS) == _LISTENING
        except (OSError, TimeoutError):
            return False


class Supervisor:
    """Keeps so many workers at work on the listeners. Each runs the command that this process was started by.

    They are renewed at SIGHUP, and for whoever connects to `reload`, a socket's path.
    """

    def __init__(self, listeners: Sequence[socket.socket], count: int, reload: Path) -> None:
        self._listeners = listeners
        self._count = count
        self._reload = reload
        self._workers: set[_Worker] = set()
        self._stopping = asyncio.Event()
        self._renewing = asyncio.Lock()

    async def run(self) -> None:
        """Work until SIGINT or SIGTERM. Raises `Failed` where no worker can be started."""
        loop = asyncio.get_running_loop()
        with tempfile.TemporaryDirectory(prefix="headrace-metrics-") as folder:
            self._environment = {**os.environ, FOLDER_VARIABLE: folder}
            async with asyncio.TaskGroup() as group:
                self._group = group
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, self._stopping.set)
                loop.add_signal_handler(signal.SIGHUP, lambda: group.create_task(self._renew()))
                listening = await self._start_all()
                if listening:
                    async with reload_socket(self._reload, self._renew):
                        _log.info("workers listening", count=self._count)
                        await self._stopping.wait()
                self._retire(self._workers)
        if not listening and not self._stopping.is_set():
            raise Failed("the workers ended at their start: the log says why")
        _log.info("workers stopped")

    async def _renew(self) -> bool:
        """Put new workers in place of all, which end once those answer. False where they fail; the old stay."""
        async with self._renewing:
            old = set(self._workers)
            if self._stopping.is_set():
                return False
            if not await self._start_all():
                _log.error("workers not renewed", why="new ones could not be started, ended, or took too long")
                return False
            self._retire(old)
            _log.info("workers renewed", count=self._count)
            return True

    async def _start_all(self) -> bool:
        """Start a full set of workers. False where one of them failed, and then none of them stays."""
        tried = [await self._start(is_wanted=False) for _ in range(self._count)]
        started = [worker for worker in tried if worker is not None]
        listening = await asyncio.gather(*(worker.listens() for worker in started))
        if len(started) < self._count or not all(listening) or self._stopping.is_set():
            self._retire(started)
            return False
        for worker in started:
            worker.is_wanted = True
        return True

    async def _start(self, *, is_wanted: bool) -> _Worker | None:
        """Start a worker; one whose start met the stop is asked to end. None where the system can't start any."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        handed_on = [listener.fileno() for listener in (*self._listeners, theirs)]
        seat: Mapping[str, str] = {_SEAT_VARIABLE: ",".join(map(str, handed_on))}
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *sys.argv,
                    env={**self._environment, **seat},
                    pass_fds=handed_on,
                    start_new_session=True,  # a terminal's Ctrl-C is the supervisor's, which tells them
                )
            except OSError as error:
                ours.close()
                _log.error("worker not started", why=str(error))
                return None
        worker = _Worker(process, ours, is_wanted=is_wanted)
        self._workers.add(worker)
        self._group.create_task(self._watch(worker))
        if self._stopping.is_set():
            worker.retire()
        return worker

    async def _watch(self, worker: _Worker) -> None:
        """See a worker to its end, and start another in its place if nobody asked it to end."""
        code = await worker.end()
        mark_process_dead(worker.process.pid, self._environment[FOLDER_VARIABLE])  # type: ignore[no-untyped-call]
        self._workers.discard(worker)
        if not worker.is_wanted:
            return
        _log.error("worker ended", pid=worker.process.pid, code=code)
        replaced = None
        while replaced is None and not self._stopping.is_set():
            await asyncio.sleep(_PAUSE_SECONDS)
            replaced = await self._start(is_wanted=True)

    def _retire(self, workers: Collection[_Worker]) -> None:
        for worker in workers:
            worker.retire()
