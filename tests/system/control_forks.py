"""Children that the crash harness forks, to be killed."""

import ctypes
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import anyio

from bundles.core.errors import HeadraceError

Go = Callable[[], object]

TOLD = 10
"""How a child ends that was given an error in plain words."""
_PATIENCE_SECONDS = 60
_PR_SET_PTRACER = 0x59616D61


def forked(
    work: Callable[[Go], Awaitable[None]],
    attached: Callable[[int], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> tuple[int, bool]:
    """How a child ended that does this, by its exit code or the negative number of a signal, and whether it had
    acknowledged what it did until then. It begins once it is `attached` to.
    """
    while threading.active_count() > 1:  # those of an event loop that has ended are about to end
        time.sleep(0.0005)
    (begin, let_begin), (hear, say) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(let_begin)
        os.close(hear)
        _be_child(work, begin, say)
    os.close(begin)
    os.close(say)
    with attached(child), os.fdopen(hear, "rb") as heard:
        os.write(let_begin, b"go")
        os.close(let_begin)
        acknowledged = bool(heard.read())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), acknowledged


def _be_child(work: Callable[[Go], Awaitable[None]], begin: int, say: int) -> None:
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1))  # also a tracer that is not its parent
        os.read(begin, 2)
        anyio.run(work, lambda: os.write(say, b"made"))
        code = 0
    except HeadraceError as error:
        code = TOLD if "\n" not in str(error) else 1
    except BaseException:  # noqa: BLE001 - it is told, and the child must end here
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


@contextmanager
def killed_at_call(call: str, number: int, files: Sequence[str], child: int) -> Iterator[None]:
    """The child is killed when one of its threads comes to this system call on one of the files for the so-manieth
    time.
    """
    paths = [word for file in files for word in ("-P", file)]
    inject = f"inject={call}:signal=SIGKILL:when={number}"
    command = ["strace", "-f", "-qq", "-o", os.devnull, *paths, "-e", f"trace={call}", "-e", inject]
    tracer = subprocess.Popen([*command, "-p", str(child)])
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while "TracerPid:\t0" in Path(f"/proc/{child}/status").read_text():
        assert tracer.poll() is None, "strace did not attach"
        assert time.monotonic() < deadline, "strace did not attach in time"
        time.sleep(0.001)
    yield
    tracer.wait(_PATIENCE_SECONDS)
