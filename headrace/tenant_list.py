"""The tenants that a vendor knows of, in a file."""

import sys
from pathlib import Path

from bundles.core.errors import Invalid
from release.core.names import Tenant, parse_tenant

_MAX_BYTES = 256 * 1024 * 1024


def read_tenants(file: Path | None) -> list[Tenant]:
    """The tenants in the file, none where none is named. Raises `Invalid` with the line that is no tenant's id."""
    if file is None:
        return []
    try:
        if str(file) == "-":
            content = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with file.open("rb") as opened:
                content = opened.read(_MAX_BYTES + 1)
        lines = content.decode().splitlines()
    except OSError as error:
        raise Invalid(f"can't read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Invalid(f"{file} is not UTF-8: write a tenant's id on each line") from None
    if len(content) > _MAX_BYTES:
        raise Invalid(f"{file} has more than {_MAX_BYTES} bytes: it is no list of tenants")
    return [_tenant(line.strip(), file, number) for number, line in enumerate(lines, 1) if line.strip()]


def _tenant(text: str, file: Path, number: int) -> Tenant:
    try:
        return parse_tenant(text)
    except Invalid as error:
        raise Invalid(f"{file}, line {number}: {error}") from None
