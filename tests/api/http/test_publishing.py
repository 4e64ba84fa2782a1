"""A build that is published over HTTP, and what is read of it."""

import contextlib
import io
import sqlite3
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx

from api.core.role import Role
from tests.api.http.test_events import streaming
from tests.support.api import Asker, make_tokens
from tests.support.cli import run, succeed
from tests.support.processes import PATIENCE_SECONDS, ApiProcess, api

URL = "/products/sdk/builds/7.0.0"
ZIP = {"content-type": "application/zip"}


ROW = {"actor": "token:a-publisher", "verb": "publish", "product": "sdk", "reason": "a release"}


def archive(body: str) -> bytes:
    with io.BytesIO() as written:
        with zipfile.ZipFile(written, "w") as opened:
            opened.writestr("sdk.js", body)
        return written.getvalue()


def test_an_archive_is_the_body(askers: dict[Role, Asker]) -> None:
    publisher = askers[Role.PUBLISHER]

    def post(body: bytes) -> httpx.Response:
        return publisher.ask("POST", URL, params={"deltas": 0}, content=body, headers=ZIP)

    made = post(archive("let a;"))
    assert (made.status_code, made.json()["created"]) == (201, True)
    assert [each["path"] for each in made.json()["artifacts"]] == ["sdk.js"]
    again = post(archive("let a;"))
    assert (again.status_code, again.json()["created"]) == (200, False)
    publisher.refused("POST", URL, 409, "refused", content=archive("let b;"), headers=ZIP)
    publisher.refused("POST", URL, 415, "wrong-media-type", json={})
    damaged = publisher.refused("POST", URL, 422, "invalid", content=b"PK", headers=ZIP)
    assert damaged["detail"] == "the archive is neither a folder nor a tar, tar.gz or zip archive"
    askers[Role.RELEASER].refused("POST", URL, 403, "not-allowed", content=b"", headers=ZIP)


def test_what_is_there_is_read_by_role(askers: dict[Role, Asker]) -> None:
    viewer, customer = askers[Role.VIEWER], askers[Role.CUSTOMER]
    assert viewer.get("/products")["items"] == [{"product": "sdk"}]
    assert viewer.get("/products/sdk/builds?limit=1")["next"]
    assert viewer.get("/products/sdk/builds/1.0.0")["artifacts"]["items"]
    assert viewer.get("/products/sdk/builds/1.0.0/errors")["groups"] == []
    assert viewer.get("/products/sdk/builds/1.0.0/provenance")["attestations"] == []
    assert viewer.get("/changes?product=sdk&order=oldest&limit=1")["items"][0]["revision"] == 1
    assert viewer.get("/revisions/0/diff/1")["changes"]
    assert viewer.get("/audit?limit=1")["items"][0]["entry"]["revision"] == 1
    assert viewer.get("/audit/verdict")["faults"] == []
    found = viewer.ask("POST", "/products/sdk/builds/1.0.0/tenants/search", json={"tenants": ["zeta"]})
    assert "zeta" in [each["tenant"] for each in found.json()["holders"]]
    assert customer.get("/tenants/acme/resolutions/sdk")["acts"] == []
    customer.refused("GET", "/products", 403, "not-allowed")
    viewer.refused("GET", "/products/sdk/builds/9.9.9", 404, "not-found")


def test_who_published_a_build_is_in_the_audit_trail_once(
    askers: dict[Role, Asker], admin: Asker, api_data: Path
) -> None:
    url, viewer = "/products/sdk/builds/7.1.0", askers[Role.VIEWER]
    at = viewer.get("/changes?limit=1")["items"][0]["revision"]
    served = viewer.get("/tenants/acme/resolutions/sdk")
    for status in (201, 200, 200):
        made = askers[Role.PUBLISHER].ask(
            "POST", url, params={"reason": "a release"}, content=archive("let c;"), headers=ZIP
        )
        assert made.status_code == status, made.text
    (listed,) = viewer.get(f"/changes?product=sdk&after={at}")["items"]
    assert {**listed, **ROW, "revision": at + 1, "subject": "7.1.0", "severity": None} == listed
    (kept,) = listed["after"].values()
    assert kept["digest"] == viewer.get(url)["digest"]
    (row,) = admin.get(f"/audit?after={at}")["items"]
    assert row["entry"]["after"] == listed["after"]
    with streaming(viewer.server, viewer.token, f"?after={at}") as stream:
        assert stream.next() == {name: listed[name] for name in listed if name not in ("before", "after")}
    published = viewer.get(f"{url}/provenance")["published"]
    assert published == {"actor": ROW["actor"], "at": listed["at"], "revision": at + 1, "was_there": False}
    assert succeed(api_data, "history", "sdk")[-1]["subject"] == "7.1.0"
    assert "publish sdk 7.1.0  a release" in run(api_data, "events", "--since", str(at)).stdout
    told = run(api_data, "provenance", "sdk", "7.1.0").stdout
    assert f"published   by token:a-publisher at {listed['at']}, revision {at + 1}" in told
    assert succeed(api_data, "audit", "verify")["faults"] == []
    after = viewer.get("/tenants/acme/resolutions/sdk")
    assert {**after, "revision": served["revision"]} == served
    pinned = admin.ask(
        "PUT", "/products/sdk/pins/beta/production", json={"target": "1.0.0"}, headers={"if-match": f'"{at}"'}
    )
    assert pinned.status_code == 200, pinned.text


def test_a_server_killed_between_a_build_and_its_row_is_made_good_by_the_same_publish(released_data: Path) -> None:
    tokens, url = make_tokens(released_data), "/products/sdk/builds/7.2.0"
    before = succeed(released_data, "audit", "verify")["revision"]

    def publish(server: str) -> httpx.Response:
        with httpx.Client() as http:
            return Asker(http, server, tokens[Role.PUBLISHER]).ask("POST", url, content=archive("a"), headers=ZIP)

    process = ApiProcess(released_data)
    with contextlib.closing(sqlite3.connect(released_data / "control.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")  # so that no row can be written
        asking = threading.Thread(target=lambda: _broken_off(lambda: publish(process.url)))
        asking.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not list((released_data / "store").rglob("*7.2.0*")):
            assert time.monotonic() < deadline, "no build was made"
            time.sleep(0.02)
        process.kill()
        process.stop()
        asking.join()
    assert "by whom is not in the audit trail" in run(released_data, "provenance", "sdk", "7.2.0").stdout
    with api(released_data) as process:
        answers = [publish(process.url) for _ in range(2)]
    assert [answer.json()["created"] for answer in answers] == [False, False]
    published = succeed(released_data, "provenance", "sdk", "7.2.0")["published"]
    assert (published["revision"], published["was_there"]) == (before + 1, True)
    verdict = succeed(released_data, "audit", "verify")
    assert (verdict["revision"], verdict["faults"]) == (before + 1, [])


def _broken_off(ask: Callable[[], object]) -> None:
    with contextlib.suppress(httpx.TransportError):
        ask()
