"""A build that is published over HTTP, and what is read of it."""

import io
import zipfile

import httpx

from api.core.role import Role
from tests.support.api import Asker

URL = "/products/sdk/builds/7.0.0"
ZIP = {"content-type": "application/zip"}


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
