"""Channels, ranges and tenants on a real socket: 302 to the exact URL, and the resolution with its reason."""

from pathlib import Path

import httpx
import pytest

from tests.support.cli import succeed

MOVING = "public, max-age=10, stale-while-revalidate=50"


@pytest.mark.parametrize(
    ("url", "location", "tags"),
    [
        ("/sdk@stable/sdk.js", "/sdk@1.1.0/sdk.js", "product:sdk,channel:sdk/stable"),
        ("/sdk@next/lib/extra.mjs", "/sdk@1.1.0/lib/extra.mjs", "product:sdk,channel:sdk/next"),
        ("/sdk@%5E1.0/sdk.js", "/sdk@1.1.0/sdk.js", "product:sdk,channel:sdk/next,channel:sdk/stable"),
        ("/sdk@~1.0/sdk.js", "/sdk@1.0.0/sdk.js", "product:sdk,channel:sdk/next,channel:sdk/stable"),
        ("/sdk@1/sdk.js", "/sdk@1.1.0/sdk.js", "product:sdk,channel:sdk/next,channel:sdk/stable"),
        ("/t/pinned/sdk/sdk.js", "/sdk@1.0.0/sdk.js", "product:sdk,tenant:pinned"),
        ("/t/ranged/sdk/sdk.js", "/sdk@1.0.0/sdk.js", "product:sdk,tenant:ranged"),
        ("/t/acme~staging/sdk/sdk.js", "/sdk@1.2.0/sdk.js", "product:sdk,tenant:acme"),
        ("/t/acme/@acme/menu/a%20b.json", "/@acme/menu@1.0.0/a%20b.json", "product:@acme/menu,tenant:acme"),
    ],
)
def test_moving_urls_lead_to_exact_ones(client: httpx.Client, url: str, location: str, tags: str) -> None:
    for method in ("GET", "HEAD"):
        response = client.request(method, url)
        assert response.status_code == 302
        assert response.headers["location"] == location
        assert response.headers["cache-control"] == MOVING
        assert response.headers["cache-tag"] == tags
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["cross-origin-resource-policy"] == "cross-origin"


def test_the_cohort_gets_the_candidate_and_the_others_the_stable_build(client: httpx.Client, served: Path) -> None:
    seen = set()
    for n in range(12):
        answer = client.get(f"/t/tenant{n}/sdk.json").json()
        why = succeed(served, "why", f"tenant{n}", "sdk")
        assert (answer["version"], answer["reason"]) == (why["version"], why["reason"])
        in_cohort = why["bucket"] < 0.5
        assert answer["version"] == ("1.2.0" if in_cohort else "1.1.0")
        seen.add(in_cohort)
    assert seen == {True, False}


def test_the_resolution_says_what_why_and_until_when(client: httpx.Client, served: Path) -> None:
    response = client.get("/t/pinned/sdk.json")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == MOVING
    assert response.headers["cache-tag"] == "product:sdk,tenant:pinned"
    answer = response.json()
    assert (answer["product"], answer["tenant"], answer["environment"]) == ("sdk", "pinned", "production")
    assert (answer["version"], answer["reason"], answer["passed"]) == ("1.0.0", "pin", [])
    assert answer["next_change"] is None
    assert answer["revision"] == succeed(served, "why", "pinned", "sdk")["revision"]
    staging = client.get("/t/pinned~staging/sdk.json").json()
    assert (staging["version"], staging["reason"]) == ("1.2.0", "staging")
    assert staging["next_change"].endswith("+00:00")


def test_the_resolution_lists_each_file_with_its_url_and_integrity(client: httpx.Client) -> None:
    files = client.get("/t/pinned/sdk.json").json()["files"]
    assert [file["path"] for file in files] == ["data.json", "lib/extra.mjs", "sdk.js"]
    for file in files:
        assert file["url"] == f"/sdk@1.0.0/{file['path']}"
        assert client.get(file["url"]).status_code == 200
        assert file["integrity"].startswith("sha384-")


def test_a_resolution_can_be_revalidated(client: httpx.Client) -> None:
    etag = client.get("/t/pinned/sdk.json").headers["etag"]
    again = client.get("/t/pinned/sdk.json", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["access-control-allow-origin"] == "*"
    assert client.get("/t/other/sdk.json", headers={"if-none-match": etag}).status_code == 200


def test_head_of_a_resolution_is_get_without_a_body(client: httpx.Client) -> None:
    got, head = client.get("/t/pinned/sdk.json"), client.head("/t/pinned/sdk.json")
    assert head.content == b""
    for name in ("content-length", "etag", "content-type", "cache-control"):
        assert head.headers[name] == got.headers[name]
