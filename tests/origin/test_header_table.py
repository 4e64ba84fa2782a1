"""Every header of every answer, as docs/http.md has them in its table, asked of a running origin."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.cli import publish
from tests.support.http import raw
from tests.support.processes import origin

DOCUMENT = Path(__file__).parents[2] / "docs" / "http.md"
FILE, RESOLUTION = "/kit@1.0.0/app.js", "/t/pinned/sdk.json"
BR = {"accept_encoding": "br"}
OTHER = {"if_match": '"other"'}
SECRET = "a" * 40

REQUESTS: dict[str, list[tuple[str, str, dict[str, str]]]] = {
    "file 200": [(method, FILE, BR) for method in ("GET", "HEAD")],
    "file 206": [("GET", FILE, {**BR, "range": "bytes=0-0"})],
    "file 304": [(method, FILE, {**BR, "if_none_match": "*"}) for method in ("GET", "HEAD")],
    "file 412": [(method, FILE, {**BR, **OTHER}) for method in ("GET", "HEAD")],
    "file 416": [("GET", FILE, {**BR, "range": "bytes=999999-"})],
    "redirect 302": [
        (method, url, {})
        for method in ("GET", "HEAD")
        for url in ("/sdk@stable/sdk.js", "/sdk@%5E1/sdk.js", "/t/pinned/sdk/sdk.js", "/t/x~staging/sdk/sdk.js")
    ],
    "resolution 200": [(method, RESOLUTION, {}) for method in ("GET", "HEAD")],
    "resolution 304": [(method, RESOLUTION, {"if_none_match": "*"}) for method in ("GET", "HEAD")],
    "resolution 412": [(method, RESOLUTION, OTHER) for method in ("GET", "HEAD")],
    "403": [(method, url, {}) for method in ("GET", "HEAD", "POST", "OPTIONS") for url in (FILE, "/nope")],
    "404, 410": [
        (method, url, {})
        for method in ("GET", "HEAD")
        for url in ("/", "/sdk@1.1.0/nope.js", "/sdk@9.9.9/sdk.js", "/t/acme/nope.json", "/sdk@1.0.1/sdk.js")
    ],
    "405": [
        (method, url, {})
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND")
        for url in (FILE, RESOLUTION, "/sdk@stable/sdk.js", "/nope")
    ],
    "406": [(method, FILE, {"accept_encoding": "*;q=0"}) for method in ("GET", "HEAD")],
    "503": [
        (method, url, {"x_edge_secret": SECRET})
        for method in ("GET", "HEAD")
        for url in (RESOLUTION, "/t/pinned/sdk/sdk.js")
    ],
    "OPTIONS 204": [("OPTIONS", url, {}) for url in (FILE, RESOLUTION, "/sdk@stable/sdk.js", "/nope")],
    "400, 413, 414, 431": [
        (method, url, headers)
        for method in ("GET", "HEAD", "POST")
        for url, headers in (
            (FILE, {"host": "a b"}),
            (FILE, {"transfer_encoding": "chunked"}),
            ("/" + "a" * 9_000, {}),
            (FILE, {"cookie": "a" * 40_000}),
        )
    ],
}


def rows(first_cell: str) -> Iterator[list[str]]:
    """The cells of the document's table whose head begins so, its head first."""
    table = DOCUMENT.read_text().split(f"\n| {first_cell} |")[1].split("\n\n")[0]
    for line in f"| {first_cell} |{table}".splitlines():
        if not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


VALUES = {name: value.strip("`") for name, value in rows("kept for")}
HEAD, *ROWS = rows("header")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of an origin that answers its edge alone, and has no snapshot yet."""
    folder = tmp_path_factory.mktemp("guarded")
    publish(folder / "data", folder, "1.0.0")
    (folder / "secrets").write_text(SECRET)
    arguments = "--edge-secrets", str(folder / "secrets")
    with origin(folder / "data", *arguments) as process, httpx.Client(base_url=process.url) as opened:
        yield opened


def test_the_table_has_every_answer_that_is_asked_for() -> None:
    assert HEAD[1:] == list(REQUESTS)
    assert len(ROWS) > 20


@pytest.mark.parametrize("column", REQUESTS)
def test_an_answer_has_the_headers_of_the_table_and_no_others(
    client: httpx.Client, guarded: httpx.Client, column: str
) -> None:
    expected = {row[0].strip("`").lower(): row[HEAD.index(column)] for row in ROWS}
    for method, url, headers in REQUESTS[column]:
        response, body = raw(guarded if column in ("403", "503") else client, url, method, **headers)
        asked = f"{method} {url} {headers}"
        assert str(response.status_code) in column, asked
        found = dict(response.headers)
        assert set(found) - {"date"} == {name for name, cell in expected.items() if cell != "-"}, asked
        for name, cell in expected.items():
            if cell not in ("-", "…"):
                assert found[name] == VALUES.get(cell, cell.strip("`")), (asked, name)
        has_body = method != "HEAD" and response.status_code not in (204, 304)
        assert len(body) == (int(found["content-length"]) if has_body else 0), asked
