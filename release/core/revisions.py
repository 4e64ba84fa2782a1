"""What changed between two revisions of the routing table, by the audit trail's entries: net of both ends."""

from collections.abc import Mapping
from typing import Any

import msgspec

from release.core.audit import Entry


class PlaceChange(msgspec.Struct, frozen=True):
    """What was in a place, as the audit trail writes places, and what came to be there; None for nothing."""

    place: str
    before: Any | None
    after: Any | None


class RevisionDiff(msgspec.Struct, frozen=True):
    """What leads from one revision to another; of `unknown` revisions in between it is not known what they did."""

    before: int
    after: int
    changes: tuple[PlaceChange, ...]
    unknown: tuple[int, ...]


class NetChanges:
    """Takes the entries after one revision up to another, the oldest first.

    What was changed and undone within is no change. `unknown` are the revisions that kept neither what they found
    nor what they left: of these nothing is known.
    """

    def __init__(self) -> None:
        self.unknown: list[int] = []
        self._before: dict[str, Any | None] = {}
        self._after: dict[str, Any | None] = {}

    def add(self, entry: Entry) -> None:
        """The next entry."""
        if entry.before is None or entry.after is None:
            self.unknown.append(entry.revision)
            return
        for place, left in entry.after.items():
            self._before.setdefault(place, entry.before.get(place))
            self._after[place] = left

    def changes(self, *, backwards: bool = False) -> tuple[PlaceChange, ...]:
        """What leads from the earlier revision to the later one, by place; backwards, from the later one back."""
        old, new = (self._after, self._before) if backwards else (self._before, self._after)
        return tuple(
            PlaceChange(place, old[place], new[place]) for place in sorted(old) if old[place] != new[place]
        )


def leaves_of(document: object, path: str = "") -> dict[str, object]:
    """A document's values by their paths, as in `rollout.plan.stages.0.kind`; what is empty or None has none."""
    if isinstance(document, Mapping):
        parts = [(str(name), value) for name, value in document.items()]
    elif isinstance(document, list):
        parts = [(str(number), value) for number, value in enumerate(document)]
    else:
        return {} if document in (None, "") else {path: document}
    return {
        leaf: value
        for name, part in parts
        for leaf, value in leaves_of(part, f"{path}.{name}" if path else name).items()
    }
