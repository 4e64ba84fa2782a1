"""Smoke tests that are a command."""

import signal
import tempfile
from pathlib import Path

import anyio

from bundles.ports import BuildReader
from release.adapters.build_folder import write_build
from release.adapters.processes import running
from release.core.smoke import CommandTest
from release.ports import Candidate, SmokeResult


class CommandSmoke:
    """Runs the program without a shell, in an empty folder of its own, beside a copy of the build's files."""

    def __init__(self, builds: BuildReader) -> None:
        self._builds = builds

    async def run(self, test: CommandTest, candidate: Candidate) -> SmokeResult:
        """Passed with exit code 0."""
        with (
            tempfile.TemporaryDirectory(prefix="headrace-build-", ignore_cleanup_errors=True) as build,
            tempfile.TemporaryDirectory(prefix="headrace-smoke-", ignore_cleanup_errors=True) as work,
        ):
            await write_build(self._builds, candidate.manifest, Path(build))
            code = None
            async with running(test.argv, Path(work), _environment(candidate, build)) as process:
                with anyio.move_on_after(test.timeout_seconds):
                    code = await process.wait()
        return SmokeResult(code == 0, _finding(test, code), process.output.text())


def _environment(candidate: Candidate, build: str) -> dict[str, str]:
    manifest = candidate.manifest
    return {
        "HEADRACE_BUILD_DIR": build,
        "HEADRACE_PRODUCT": manifest.product,
        "HEADRACE_VERSION": manifest.version,
        "HEADRACE_CHANNEL": candidate.channel,
        "HEADRACE_DIGEST": candidate.digest,
    }


def _finding(test: CommandTest, code: int | None) -> str:
    if code is None:
        return f"{test.argv[0]} took longer than {test.timeout_seconds} seconds and was killed"
    if code < 0:
        return f"{test.argv[0]} was ended by {_signal_name(-code)}"
    return f"{test.argv[0]} ended with exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time signals have no name
        return f"signal {number}"
