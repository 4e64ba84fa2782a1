"""What a run of the command starts with: three open streams that take every character."""

import os
import sys
from io import TextIOWrapper

_FIRST_FREE = 3


def prepare_streams() -> None:
    """Open what the caller has closed, so that no file of ours takes its number; escape what can't be encoded."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < _FIRST_FREE:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, "r")
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Throw away what is still to be written: nobody reads it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
