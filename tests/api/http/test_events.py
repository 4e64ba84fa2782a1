"""Changes as a stream of server-sent events, on a real server."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.core.access import Grant
from api.core.role import Role
from api.endpoints.events import MOST_STREAMS
from tests.support.api import Asker, make_token
from tests.support.cli import publish
from tests.support.processes import api

CHANNEL = "/products/sdk/channels/stable"
PATIENCE = 30
KEPT = ("before", "after")  # what a list of changes says of one, and a stream does not


class Stream:
    """A stream as it comes: its events, and its end."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self) -> dict[str, Any] | None:
        """The next event; None at the end."""
        fields = dict[str, str]()
        for line in self._lines:
            if line.startswith(":"):
                continue
            if not line and fields:
                assert fields["event"] == "change"
                view: dict[str, Any] = json.loads(fields["data"])
                assert fields["id"] == str(view["revision"])
                return view
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
        return None


@contextmanager
def streaming(server: str, token: str, query: str = "", **headers: str) -> Iterator[Stream]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["authorization"] = f"Bearer {token}"
    url = f"{server}/api/v1/events{query}"
    with httpx.Client(timeout=PATIENCE) as http, http.stream("GET", url, headers=named) as response:
        assert response.status_code == 200, response.read()
        yield Stream(response)


def newest(admin: Asker) -> dict[str, Any]:
    """The newest change."""
    view: dict[str, Any] = admin.get("/changes", params={"limit": "1"})["items"][0]
    return view


def revision_of(admin: Asker) -> int:
    return int(newest(admin)["revision"])


def change(admin: Asker) -> int:
    """Make a change; its revision."""
    pinned = admin.ask("PUT", "/products/sdk/pins/acme/production", json={"target": "1.0.0"})
    assert pinned.status_code == 200, pinned.text
    return revision_of(admin)


def test_what_was_changed_and_what_is_changed_then_is_told_once(admin: Asker) -> None:
    before = revision_of(admin)
    with streaming(admin.server, admin.token) as stream:
        headers = stream.response.headers
        assert headers["content-type"].startswith("text/event-stream")
        assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
        told = [stream.next() for _ in range(before)]
        assert [view and view["revision"] for view in told] == list(range(1, before + 1))
        made = change(admin)
        assert stream.next() == {name: value for name, value in newest(admin).items() if name not in KEPT}
        assert newest(admin)["revision"] == made


def test_who_comes_back_is_told_what_came_after_its_last(admin: Asker) -> None:
    revision = change(admin)
    with streaming(
        admin.server, admin.token, f"?product=sdk&after={revision}", last_event_id=str(revision - 1)
    ) as stream:
        view = stream.next()
        assert view is not None
        assert (view["revision"], view["verb"], view["product"]) == (revision, "pin-set", "sdk")


@pytest.mark.parametrize(
    ("query", "last", "status", "kind"),
    [
        ("?after=x", None, 400, "malformed"),
        ("?after=1&after=2", None, 400, "malformed"),
        ("?color=red", None, 400, "malformed"),
        ("?product=Not%20One", None, 400, "malformed"),
        ("", "latest", 400, "malformed"),
        ("?after=999999", None, 409, "conflict"),
        ("", "999999", 409, "conflict"),
    ],
)
def test_what_is_wrong_from_the_start_is_a_problem(
    admin: Asker, query: str, last: str | None, status: int, kind: str
) -> None:
    headers = {} if last is None else {"last-event-id": last}
    admin.refused("GET", f"/events{query}", status, kind, headers=headers)


def test_nobody_is_told_of_what_it_has_no_right_to(
    api_data: Path, tmp_path: Path, admin: Asker, askers: dict[Role, Asker]
) -> None:
    publish(api_data, tmp_path, "1.0.0", product="other")
    grant = Grant(roles=frozenset({Role.VIEWER}), products=("other",))
    with httpx.Client() as http:
        other = Asker(http, admin.server, make_token(api_data, "others", grant))
        other.refused("GET", "/events?product=sdk", 403, "not-allowed")
    askers[Role.CUSTOMER].refused("GET", "/events", 403, "not-allowed")
    with (
        streaming(other.server, other.token) as stream,
        streaming(admin.server, askers[Role.VIEWER].token) as all_,
    ):
        change(admin)
        assert all_.next() is not None
        blocked = admin.ask("PUT", "/products/other/blocks/1.0.0", json={"reason": "told"})
        assert blocked.status_code == 200, blocked.text
        view = stream.next()
        assert view is not None
        assert view["product"] == "other"


def test_one_credential_has_so_many_streams_and_no_more(admin: Asker, askers: dict[Role, Asker]) -> None:
    viewer = askers[Role.VIEWER]
    with ExitStack() as stack:
        first, *_ = [stack.enter_context(streaming(viewer.server, viewer.token)) for _ in range(MOST_STREAMS)]
        viewer.refused("GET", "/events", 429, "too-many-requests")
        assert viewer.ask("HEAD", "/events").status_code == 200
        with streaming(admin.server, admin.token):  # somebody else's are counted apart
            first.response.close()
            for _ in range(PATIENCE):  # the server learns of it in its own time
                answer = viewer.ask("GET", "/events?after=999999")
                if answer.status_code == 409:
                    return
    pytest.fail("a stream that has ended is counted still")


def test_a_token_that_is_taken_away_ends_its_stream(api_data: Path, admin: Asker) -> None:
    secret = make_token(api_data, "short", Grant(roles=frozenset({Role.VIEWER})))
    id_ = next(token["id"] for token in admin.get("/tokens")["items"] if token["name"] == "short")
    with streaming(admin.server, secret, f"?after={revision_of(admin)}") as stream:
        assert admin.ask("DELETE", f"/tokens/{id_}").status_code == 200
        revoked = stream.next()
        assert revoked is None or revoked["verb"] == "token-revoke"
        assert revoked is None or stream.next() is None


def test_the_end_of_the_server_ends_its_streams(api_data: Path, tokens: dict[Role, str]) -> None:
    with api(api_data) as process, streaming(process.url, tokens[Role.VIEWER]) as stream:
        assert stream.next() is not None
        process.stop()
        while stream.next() is not None:
            pass  # what is broken off raises
    assert not [record for record in process.log if record.get("level") == "error"]
