"""Writes what is told of the API: its OpenAPI document, and the table of who may do what. `make docs`.

It is `python -m headrace.api_pages FOLDER`.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from api.core.operation import Route
from api.core.role import Role
from api.endpoints.described import ALL
from api.endpoints.openapi import openapi_json
from api.routes import all_routes

_BEGIN = "<!-- Who may do what, made by `make docs` from the operations. -->"
_END = "<!-- The end of who may do what. -->"


def pages(folder: Path) -> dict[Path, str]:
    """Each file that is made or has a part that is made, as it is to be."""
    routes = all_routes()
    access = folder / "access.md"
    before, _, rest = access.read_text().partition(_BEGIN)
    after = rest.partition(_END)[2]
    return {
        folder / "openapi.json": openapi_json(routes, ALL).decode(),
        access: "\n".join([f"{before}{_BEGIN}", "", *_table(routes), "", f"{_END}{after}"]),
    }


def _table(routes: Iterable[Route]) -> Iterable[str]:
    roles = list(Role)
    yield f"| operation | | {' | '.join(roles)} |"
    yield "|---|---|" + "---|" * len(roles)
    for route in routes:
        marks = " | ".join("yes" if role in route.roles else "" for role in roles)
        yield f"| `{route.name}` | `{route.method} {route.path}` | {marks} |"


def main() -> None:
    """Write the files."""
    for file, text in pages(Path(sys.argv[1])).items():
        file.write_text(text)


if __name__ == "__main__":
    main()
