"""Errors that are one and the same in many installations, as a group."""

import hashlib
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

import msgspec

from beacons.core.beacon import Beacon, FirstError, Frame
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.names import Environment

MAX_GROUPS = 200
"""How many groups a build has in an environment. What errs in yet other ways is counted in one more."""

OTHER = "other"
"""The fingerprint of that one, which has no error of its own."""

_TOP_FRAMES = 5
_FINGERPRINT_BYTES = 16


class Build(NamedTuple):
    """What errors are grouped by beside their own looks."""

    product: Product
    version: Version
    environment: Environment


class GroupKey(NamedTuple):
    """A group of errors."""

    build: Build
    fingerprint: str


class Seen(NamedTuple):
    """One of a group's errors, and how many units had one."""

    error: FirstError
    units: int


NO_UNITS = Seen(FirstError("", "", ()), 0)


class ErrorGroup(msgspec.Struct, frozen=True):
    """Errors of one kind, message and place, with the frames of the first one that was seen.

    `units` is how many installations had one as their first error; times are in seconds since the epoch, of the
    slots they were counted in.
    """

    fingerprint: str
    kind: str
    message: str
    frames: tuple[Frame, ...]
    first_seen: int
    last_seen: int
    units: int


def fingerprint(error: FirstError) -> str:
    """The same for errors of the same kind and message whose innermost frames are the same."""
    looks = msgspec.json.encode((error.kind, error.message, error.frames[:_TOP_FRAMES]))
    return hashlib.blake2b(looks, digest_size=_FINGERPRINT_BYTES).hexdigest()


def grouped(beacons: Iterable[Beacon]) -> Mapping[GroupKey, Seen]:
    """The errors of these beacons."""
    found: dict[GroupKey, Seen] = {}
    for beacon in beacons:
        if beacon.error is not None:
            build = Build(beacon.product, beacon.version, beacon.environment)
            _add(found, GroupKey(build, fingerprint(beacon.error)), Seen(beacon.error, 1))
    return found


def fitted(found: Mapping[GroupKey, Seen], known: Mapping[Build, Set[str]]) -> Mapping[GroupKey, Seen]:
    """The same in the order of their keys, with what has no room beside the known groups in `OTHER`."""
    room = {build: MAX_GROUPS - len(fingerprints - {OTHER}) for build, fingerprints in known.items()}
    kept: dict[GroupKey, Seen] = {}
    for key, seen in found.items():
        if key.fingerprint in known[key.build]:
            kept[key] = seen
        elif room[key.build] > 0:
            room[key.build] -= 1
            kept[key] = seen
        else:
            _add(kept, GroupKey(key.build, OTHER), NO_UNITS._replace(units=seen.units))
    return dict(sorted(kept.items(), key=lambda each: each[0]))


def _add(found: dict[GroupKey, Seen], key: GroupKey, seen: Seen) -> None:
    before = found.get(key)
    found[key] = seen if before is None else Seen(before.error, before.units + seen.units)
