"""The export for static failover: every answer is the running origin's, bytes and headers."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from tests.support.cli import succeed
from tests.support.http import raw
from tests.support.static_host import entries, static_host

ACCEPTED = [None, "identity", "gzip", "br", "zstd", "br, gzip", "zstd, gzip"]
# When it was sent, and what the origin's memory did for it.
OF_THE_SENDING = {"date", "cache-status"}


@pytest.fixture(scope="module")
def exported(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole of the data folder, with a range of its own."""
    folder = tmp_path_factory.mktemp("exported") / "failover"
    succeed(served, "export-static", str(folder), "--range", "^1.0")
    return folder


@pytest.fixture(scope="module")
def static(exported: Path) -> Iterator[httpx.Client]:
    """A client of a static host that has nothing but the export."""
    with static_host(exported) as url, httpx.Client(base_url=url) as opened:
        opened.headers.clear()
        yield opened


def names(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("accepted", ACCEPTED)
def test_each_answer_is_the_origins_in_bytes_and_headers(
    client: httpx.Client, static: httpx.Client, exported: Path, accepted: str | None
) -> None:
    headers = {} if accepted is None else {"accept_encoding": accepted}
    urls = {entry["url"] for entry in entries(exported)}
    assert len(urls) > 30
    for url in urls:
        (expected, body), (response, copied) = raw(client, url, **headers), raw(static, url, **headers)
        assert response.status_code == expected.status_code, url
        assert copied == body, url
        wanted = {name: value for name, value in expected.headers.items() if name not in OF_THE_SENDING}
        assert dict(response.headers) == wanted, url


def test_what_somebody_may_get_is_there_and_what_nobody_may_get_is_not(
    exported: Path, static: httpx.Client
) -> None:
    urls = {unquote(entry["url"]).rpartition("/sdk.js")[0] for entry in entries(exported)} - {""}
    assert urls == {
        *("/sdk@1.0.0", "/sdk@1.1.0", "/sdk@1.2.0"),  # an earlier stable build, the stable one, and the candidate
        *("/sdk@stable", "/sdk@next", "/sdk@1", "/sdk@1.0", "/sdk@1.1", "/sdk@^1.0"),
        *("/@acme/menu@1.0.0", "/@acme/menu@stable", "/@acme/menu@1", "/@acme/menu@1.0", "/@acme/menu@^1.0"),
    }
    assert static.get("/sdk@stable/sdk.js").headers["location"] == "/sdk@1.1.0/sdk.js"


def test_the_tree_has_identity_at_the_urls_own_place_and_each_coding_beside_it(exported: Path, dist: Path) -> None:
    tree = exported / "tree"
    assert (tree / "sdk@1.1.0" / "sdk.js").read_bytes() == (dist / "sdk.js").read_bytes()
    assert {path.name for path in tree.iterdir() if "@" not in path.name} == {"br", "gzip", "zstd"}
    listed = [entry["file"] for entry in entries(exported) if entry["file"]]
    assert names(tree) == set(listed)
    assert len(set(listed)) == len(listed)
