"""Source maps, read by Sentry's library.

Its other reader, which finds the function by parsing the script, ends the process where a script is nested deeply.
"""

from symbolic.exceptions import SymbolicError
from symbolic.sourcemap import SourceMapView, SourceView

from beacons.core.beacon import Frame
from beacons.core.sources import Place
from bundles.core.errors import Invalid


class SymbolicSourceMap:
    """A script and its source map."""

    def __init__(self, script: bytes, source_map: bytes) -> None:
        """Raises `Invalid` for what is no source map."""
        try:
            self._map = SourceMapView.from_json_bytes(source_map)
        except SymbolicError as error:
            raise Invalid(f"the source map can't be read: {error}") from None
        self._script = SourceView.from_bytes(script)
        self._widths: dict[int, int] = {}

    def place(self, frame: Frame) -> Place | None:
        """Where the frame's code is in the sources; None where that is not known."""
        if not self._has(frame):  # there the map would give the last place before it
            return None
        # V8 writes a method as Object.name; the map knows the name.
        name = frame.function.rpartition(".")[2]
        token = self._map.lookup(frame.line - 1, frame.column - 1, name, self._script)
        if token is None or token.src is None or token.dst_line != frame.line - 1:
            return None
        return Place(token.src, token.src_line + 1, token.src_col + 1, token.function_name or "")

    def _has(self, frame: Frame) -> bool:
        """Whether the script has such a place, which may be at the line's end."""
        return frame.line <= len(self._script) and frame.column <= self._width(frame.line) + 1

    def _width(self, line: int) -> int:
        """In UTF-16's code units, as columns are. A script is often a single line: it is measured once."""
        if line not in self._widths:
            self._widths[line] = len(self._script[line - 1].encode("utf-16-le")) // 2
        return self._widths[line]
