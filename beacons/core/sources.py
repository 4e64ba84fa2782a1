"""Where an error happened in the sources that a build was made of."""

import msgspec


class Place(msgspec.Struct, frozen=True):
    """A place in a source file, by the name that the source map has for it; lines and columns count from 1.

    `function` is the one that the code is in, '' where the map does not tell.
    """

    source: str
    line: int
    column: int
    function: str


class Unknown(msgspec.Struct, frozen=True):
    """Why it is not known."""

    why: str
