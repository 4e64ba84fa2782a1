"""What changed between two revisions, as a person reads it: each place, and in it each field."""

from collections.abc import Iterator, Mapping

import msgspec
from rich.console import Console

from api.core.plain import plain
from api.times import format_time
from release.core.codec import decode_document, encode_document
from release.core.revisions import PlaceChange, RevisionDiff, leaves_of
from release.core.routing import ChannelState, Rollout, Scheduled

_KINDS = {"channels": "channel", "pins": "pin", "blocks": "block", "retired": "retired build"}
_TIMES = {"at", "created_at", "expires_at", "replaced_until", "stage_since", "started_at"}
_LONGEST = 200


def draw_revisions(console: Console, diff: RevisionDiff) -> None:
    """A line for each place, and below it one for each field: what it was and became."""
    count = f"{len(diff.changes)} places differ" if diff.changes else "nothing differs"
    console.print(f"revision {diff.before} to {diff.after}: {count}")
    for change in diff.changes:
        console.print(plain(_name(change.place)))
        for field, before, after in _fields(change):
            console.print(plain(f"  {field}: {before} -> {after}" if field else f"  {before} -> {after}"))
    if diff.unknown:
        listed = ", ".join(map(str, diff.unknown[:10])) + (", …" if len(diff.unknown) > 10 else "")
        console.print(f"not known is what these revisions changed, which did not keep it: {listed}")


def _name(place: str) -> str:
    kind, _, rest = place.partition("/")
    if kind == "documents":
        return rest.replace("/", " ", 1)
    parts = rest.rsplit("/", 2 if kind == "pins" else 1)
    return f"{_KINDS.get(kind, kind)} {' '.join(parts)}"


def _fields(change: PlaceChange) -> Iterator[tuple[str, str, str]]:
    """The fields that differ. What differs of a channel only in what has no words is told as it is kept."""
    views = change.before, change.after
    if change.place.startswith("channels/"):
        views = _channel_words(change.before), _channel_words(change.after)
        if views[0] == views[1]:
            views = change.before, change.after
    before, after = map(leaves_of, views)
    for path in dict.fromkeys([*before, *after]):
        if before.get(path) != after.get(path):
            yield path, _words(path, before.get(path)), _words(path, after.get(path))


def _channel_words(document: object) -> Mapping[str, object]:
    """A channel in a few words; none where it can't be read."""
    try:
        state = decode_document(encode_document(document or {}), ChannelState)
    except msgspec.MsgspecError:
        return {}
    words = {
        "stable": state.stable,
        "rollout": _rollout_words(state.rollout),
        "scheduled": _scheduled_words(state.scheduled),
    }
    return {name: said for name, said in words.items() if said is not None}


def _rollout_words(rollout: Rollout | None) -> str | None:
    if rollout is None:
        return None
    approved = "" if rollout.approved_by is None else f", approved by {rollout.approved_by}"
    since = f"since {format_time(rollout.stage_since)}"
    return f"{rollout.candidate} at {rollout.stage} {since}, {rollout.progress}{approved}"


def _scheduled_words(scheduled: Scheduled | None) -> str | None:
    return None if scheduled is None else f"{scheduled.candidate} at {format_time(scheduled.at)}"


def _words(path: str, value: object) -> str:
    if value is None:
        return "none"
    if path.rpartition(".")[2] in _TIMES and isinstance(value, int):
        return format_time(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
