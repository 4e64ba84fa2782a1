"""What has happened, in bytes: of two runs of a seed they are the same."""


class Trace:
    """Lines, each of a moment, who, and what."""

    def __init__(self) -> None:
        self.now = 0
        self._lines: list[str] = []

    def add(self, who: str, *what: object) -> None:
        """One more event."""
        self._lines.append(" ".join([str(self.now), who, *(str(each) for each in what)]))

    def encode(self) -> bytes:
        """All of it."""
        return "\n".join([*self._lines, ""]).encode()
