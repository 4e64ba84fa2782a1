"""A build's groups of errors as its users see them."""

from collections.abc import Mapping

import msgspec

from api.core.plain import plain
from api.times import format_time
from beacons.core.beacon import Frame
from beacons.core.groups import ErrorGroup
from beacons.core.sources import Place, Unknown
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.names import Environment


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


class ErrorsView(msgspec.Struct, frozen=True):
    """A build's groups in an environment, those of most units first.

    A unit is one page's installation of the SDK, and counts in the group of its first error.
    """

    product: Product
    version: Version
    environment: Environment
    groups: tuple[ErrorGroupView, ...]


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
