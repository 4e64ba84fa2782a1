"""A build's groups of errors as their users see them: in JSON, and as lines of text."""

from collections.abc import Iterable, Mapping

import msgspec
from rich.console import Console

from api.core.plain import plain
from api.times import format_time
from beacons.core.beacon import Frame
from beacons.core.groups import ErrorGroup
from beacons.core.sources import Place, Unknown


class PlaceView(msgspec.Struct, frozen=True):
    """A place in a source file, its lines and columns from 1. `function` is '' where the map does not tell."""

    source: str
    line: int
    column: int
    function: str


class FrameView(msgspec.Struct, frozen=True):
    """A place in one of the build's files as published, from 1, and where that is in its sources.

    Where `source` is null, `why` says why it is not known.
    """

    path: str
    line: int
    column: int
    function: str
    source: PlaceView | None
    why: str | None


class ErrorGroupView(msgspec.Struct, frozen=True):
    """Errors of one kind, message and place. Times are RFC 3339 in UTC; `frames` are of the first that was seen,
    the innermost first.

    The group with the fingerprint `other` holds what did not fit into a build's 200 groups; it has no kind,
    message and frames.
    """

    fingerprint: str
    kind: str
    message: str
    units: int
    first_seen: str
    last_seen: str
    frames: tuple[FrameView, ...]


def view_group(group: ErrorGroup, places: Mapping[Frame, Place | Unknown]) -> ErrorGroupView:
    """The group for its users. What comes from elsewhere has its control characters escaped."""
    return ErrorGroupView(
        fingerprint=group.fingerprint,
        kind=plain(group.kind),
        message=plain(group.message),
        units=group.units,
        first_seen=format_time(group.first_seen),
        last_seen=format_time(group.last_seen),
        frames=tuple(_view_frame(frame, places[frame]) for frame in group.frames),
    )


def _view_frame(frame: Frame, found: Place | Unknown) -> FrameView:
    return FrameView(
        path=plain(frame.path),
        line=frame.line,
        column=frame.column,
        function=plain(frame.function),
        source=_view_place(found) if isinstance(found, Place) else None,
        why=None if isinstance(found, Place) else plain(found.why),
    )


def _view_place(place: Place) -> PlaceView:
    return PlaceView(plain(place.source), place.line, place.column, plain(place.function))


def draw_group(console: Console, group: ErrorGroupView) -> None:
    """The group, its stack below it, and why frames of it are as published."""
    what = f"{group.kind}: {group.message}" if group.kind else "errors of yet other kinds"
    lines = [f"{group.units} {'unit' if group.units == 1 else 'units'}: {what}"]
    lines += [f"  from {group.first_seen} to {group.last_seen}"]
    lines += [f"  at {_frame(frame)}" for frame in group.frames]
    lines += [f"  as published: {why}" for why in _reasons(group.frames)]
    for line in lines:
        console.print(line, soft_wrap=False)


def _frame(frame: FrameView) -> str:
    if frame.source is None:
        return f"{frame.function or '?'} {frame.path}:{frame.line}:{frame.column}"
    name = frame.source.function or frame.function or "?"
    return f"{name} {frame.source.source}:{frame.source.line}:{frame.source.column}"


def _reasons(frames: Iterable[FrameView]) -> Iterable[str]:
    return dict.fromkeys(f"{frame.path}: {frame.why}" for frame in frames if frame.why is not None)
