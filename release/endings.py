"""How a rollout ended, as the audit trail has it."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from bundles.core.names import Product
from bundles.core.version import Version
from release.core.audit import Documents, Entry, document_at
from release.core.names import Channel
from release.core.routing import ChannelState

MOST_ENTRIES = 1_000
"""How far back in a channel's changes it is looked for."""


class How(StrEnum):
    """What became of a candidate."""

    DONE = "done"
    ROLLED_BACK = "rolled-back"
    SUPERSEDED = "superseded"


class Ending(msgspec.Struct, frozen=True):
    """The end of a rollout: the change that made it, by whom and why; `at` is in seconds since the epoch."""

    how: How
    revision: int
    at: int
    actor: str
    reason: str


def ending_of(entries: Sequence[Entry], product: Product, channel: Channel, candidate: Version) -> Ending | None:
    """How the candidate's last rollout on the channel ended, by the channel's changes; None where none did."""
    place = f"channels/{product}/{channel}"
    for entry in reversed(entries):
        before, after = _state(entry.before, place), _state(entry.after, place)
        if _on_its_way(before) == candidate != _on_its_way(after):
            return Ending(_how(after, candidate), entry.revision, entry.at, entry.actor, entry.reason)
    return None


def _how(after: ChannelState, candidate: Version) -> How:
    if after.stable == candidate:
        return How.DONE
    return How.ROLLED_BACK if _on_its_way(after) is None else How.SUPERSEDED


def _on_its_way(state: ChannelState) -> Version | None:
    """The candidate, live or scheduled."""
    present = state.rollout or state.scheduled
    return None if present is None else present.candidate


def _state(documents: Documents | None, place: str) -> ChannelState:
    if documents is None or documents.get(place) is None:
        return ChannelState()
    return document_at(documents, place, ChannelState)
