"""Many runs of the real `headrace` command, each in a process of its own that forks from one which has loaded it.

`python -m tests.support.shell` reads a JSON list of arguments a line, and answers each with a JSON line of the
exit code and of what was written.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import IO, NamedTuple

# What verbs load as they run; what is not here takes longer, and no more.
_WORK = (
    *("api.perform", "headrace.access_wiring", "headrace.logs", "headrace.payloads", "headrace.policy_file"),
    *("headrace.publish_run", "headrace.remote", "headrace.service_wiring", "headrace.smoke_run"),
    "headrace.sources",
)


class Ran(NamedTuple):
    """What came of a run."""

    code: int
    out: str
    err: str


class Shell:
    """Runs verbs in one environment."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, *arguments: str) -> Ran:
        """One verb."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        return Ran(*json.loads(self._process.stdout.readline()))


@contextmanager
def shell(environment: Mapping[str, str]) -> Iterator[Shell]:
    """A shell with this environment."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.shell"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Shell(process)
        assert process.stdin is not None
        process.stdin.close()


def _serve() -> None:
    from headrace.cli import VERBS
    from headrace.late import load_verb

    for verb in VERBS:
        load_verb(verb)
    for work in _WORK:
        import_module(work)
    for line in sys.stdin:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                _run(json.loads(line), out, err)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            sys.stdout.write(json.dumps([code, *(_text(file) for file in (out, err))]) + "\n")
            sys.stdout.flush()


def _run(arguments: list[str], out: IO[bytes], err: IO[bytes]) -> None:
    from headrace.cli import main

    for descriptor, file in ((os.open(os.devnull, os.O_RDONLY), 0), (out.fileno(), 1), (err.fileno(), 2)):
        os.dup2(descriptor, file)
    sys.argv = ["headrace", *arguments]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter would
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    _serve()
