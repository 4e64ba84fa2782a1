"""What is told of the API is as it is: its OpenAPI document, and the table of who may do what."""

import json
from pathlib import Path

from openapi_spec_validator import OpenAPIV31SpecValidator

from api.core.operation import PREFIX
from api.core.role import Role
from api.routes import all_routes
from headrace.api_pages import pages

FOLDER = Path(__file__).parents[2] / "docs"


def test_the_pages_are_as_the_program_makes_them() -> None:
    stale = [file.name for file, text in pages(FOLDER).items() if file.read_text() != text]
    assert stale == [], "run `make docs`"


def test_the_document_is_one_of_openapi_with_every_operation() -> None:
    document = json.loads((FOLDER / "openapi.json").read_text())
    OpenAPIV31SpecValidator(document).validate()
    told = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    assert told >= {(PREFIX + route.path, route.method) for route in all_routes()}


def test_the_table_says_of_every_operation_who_may_ask_for_it() -> None:
    lines = (FOLDER / "access.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    told = {
        row[0].strip("`"): {role for role, cell in zip(Role, row[2:], strict=True) if cell}
        for row in rows
        if len(row) > 3
    }
    assert told == {route.name: route.roles for route in all_routes()}
