"""The real `headrace` command, while the kernel's answers to some of its system calls are changed."""

import os
import subprocess
from pathlib import Path

from tests.support.cli import HEADRACE


def run_injected(inject: str, arguments: list[str], path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run headrace under strace with this injection, as in `fsync:error=EIO` or `rename:signal=SIGKILL`.

    With a path, only into the calls that name it.
    """
    tracer = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={inject.partition(':')[0]}"]
    if path is not None:
        tracer += ["-P", str(path)]
    return subprocess.run(
        [*tracer, "-e", f"inject={inject}", str(HEADRACE), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
