"""How a rollout can end."""

from enum import StrEnum


class How(StrEnum):
    """What became of a candidate."""

    DONE = "done"
    ROLLED_BACK = "rolled-back"
    SUPERSEDED = "superseded"
