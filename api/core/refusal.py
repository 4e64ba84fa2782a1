"""Refusals: who was not let do what, and why, as they are counted for the audit."""

import msgspec

OTHERS = "others"
"""The address of refusals that are counted together, since there were too many to tell them apart."""
KEPT_SECONDS = 90 * 24 * 3600


class Refusal(msgspec.Struct, frozen=True, order=True):
    """What was refused alike within a minute, `minute` since the epoch.

    `caller` is "" where nobody was known, `operation` where the request named none. The address is that which
    limits are counted by. `why` is the name of the problem that was answered (`api.core.problems`).
    """

    minute: int
    caller: str
    address: str
    operation: str
    why: str


class Refusals(msgspec.Struct, frozen=True):
    """A refusal, and how often there was one like it."""

    refusal: Refusal
    count: int
