"""What a check has found, on which machine."""

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What a machine does: it changes things, or has an origin that only reads."""

    CONTROL = "control"
    ORIGIN = "origin"


class State(StrEnum):
    """How it is; `skipped` is what was not looked at, or has nothing to be looked at yet."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it is, what was seen, and how it is mended; null where there is nothing to mend."""

    name: str
    state: State
    seen: str
    remedy: str | None = None


def ok(name: str, seen: str) -> Finding:
    """It is as it should be."""
    return Finding(name, State.OK, seen)


def warning(name: str, seen: str, remedy: str) -> Finding:
    """It works, and will not for long, or not for all."""
    return Finding(name, State.WARNING, seen, remedy)


def failed(name: str, seen: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(name, State.FAILED, seen, remedy)


def skipped(name: str, why: str) -> Finding:
    """It was not looked at."""
    return Finding(name, State.SKIPPED, why)
