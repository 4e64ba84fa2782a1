"""A stack as browsers write it, and what is kept of it: the places in the build's own files.

There is no standard. V8 writes `at name (URL:line:column)`, Firefox and Safari write `name@URL:line:column`.
All else on the stack is the page's, and is dropped.
"""

import re

from beacons.core.beacon import Frame
from beacons.core.scrub import function_name
from bundles.core.names import ArtifactPath, Product
from bundles.core.urls import exact_url
from bundles.core.version import Version

MAX_FRAMES = 10
"""The innermost ones that are kept."""

# What follows the build's name in a URL: a plain path, perhaps a query, and the place.
_PLACE = re.compile(
    r"([A-Za-z0-9_.~-]++(?:/[A-Za-z0-9_.~-]++)*+)(?:\?[^\s:()]*+)?+:([1-9][0-9]{0,8}+):([1-9][0-9]{0,8}+)(?![0-9])"
)
_MAX_PATH = 128
_V8 = re.compile(r"\s*+at (?:async |new )?+([^\s()]++) (?:\[as [^\]]*+\] )?+\(")
_OTHERS = re.compile(r"([^\s@]*+)@")


def frames_of(stack: str, product: Product, version: Version) -> tuple[Frame, ...]:
    """The frames in the build's own files, the innermost first."""
    build = exact_url(product, version, ArtifactPath(""))
    frames: list[Frame] = []
    for line in stack.splitlines():
        frame = _frame(line, build)
        if frame is not None:
            frames.append(frame)
        if len(frames) == MAX_FRAMES:
            break
    return tuple(frames)


def _frame(line: str, build: str) -> Frame | None:
    start = line.find(build)
    place = _PLACE.match(line, start + len(build)) if start > 0 else None
    if place is None or len(place[1]) > _MAX_PATH or not {".", ".."}.isdisjoint(place[1].split("/")):
        return None
    named = _V8.match(line) or _OTHERS.match(line)
    return Frame(
        path=ArtifactPath(place[1]),
        line=int(place[2]),
        column=int(place[3]),
        function=function_name(named[1]) if named and named.end() <= start else "",
    )
