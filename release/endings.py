"""How a rollout ended, as the audit trail has it."""

from collections.abc import Sequence

import msgspec

from bundles.core.names import Product
from bundles.core.version import Version
from release.core.audit import Documents, Entry, document_at
from release.core.ending import How
from release.core.names import Channel
from release.core.routing import ChannelState

MOST_ENTRIES = 1_000
"""How far back in a channel's changes it is looked for."""


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
        if _rolls_out(before, candidate) and not _rolls_out(after, candidate):
            return Ending(_how(after, candidate), entry.revision, entry.at, entry.actor, entry.reason)
    return None


def _how(after: ChannelState, candidate: Version) -> How:
    if after.stable == candidate:
        return How.DONE
    return How.ROLLED_BACK if after.coming is None else How.SUPERSEDED


def _rolls_out(state: ChannelState, candidate: Version) -> bool:
    return state.coming is not None and state.coming.candidate == candidate


def _state(documents: Documents | None, place: str) -> ChannelState:
    if documents is None or documents.get(place) is None:
        return ChannelState()
    return document_at(documents, place, ChannelState)
