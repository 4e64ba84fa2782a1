"""Sizes in bytes, as people write them."""

import re

from bundles.core.errors import Invalid

_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)?")
_UNITS = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}


def parse_size(text: str) -> int:
    """Bytes, from `60000`, `60kB`, `58.6KiB` or `16MiB`."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise Invalid(f"{text!r} is not a size: write a number and B, kB, MB, KiB or MiB, as in 60kB")
    return int(float(match[1]) * _UNITS[match[2] or "B"])
