"""Files in TOML that a user names."""

import tomllib
from pathlib import Path
from typing import Any

from bundles.core.errors import Invalid


def read_toml(file: Path, most_bytes: int, what: str) -> dict[str, Any]:
    """What the file holds. Raises `Invalid` where it can't be read, has more bytes, or is no TOML.

    `what` says what it should be, as in "file of options".
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(most_bytes + 1)
    except OSError as error:
        raise Invalid(f"can't read {file}: {error.strerror}") from None
    return parse_toml(content, file, most_bytes, what)


def parse_toml(content: bytes, file: Path, most_bytes: int, what: str) -> dict[str, Any]:
    """The same of what was read already."""
    if len(content) > most_bytes:
        raise Invalid(f"{file} has more than {most_bytes} bytes: it is no {what}")
    try:
        return tomllib.loads(content.decode())
    except ValueError as error:
        raise Invalid(f"{file} is not TOML: {error}") from None
