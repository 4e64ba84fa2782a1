"""Smoke tests that are a service's answer: what is sent, and what counts as passed. A real server on a socket."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from bundles.core.errors import Failed
from headrace import service_wiring
from release.adapters.service_post import MAX_ANSWER_BYTES
from release.adapters.system_clock import SystemClock
from release.adapters.webhook_smoke import WebhookSmoke
from release.core.smoke import WebhookTest
from release.ports import SmokeResult
from tests.support.service import Service, drip, say, serving
from tests.support.smoke import candidate

pytestmark = pytest.mark.anyio

SECRET = b"a secret that both of them know"


async def ask(folder: Path, url: str, seconds: int = 60) -> SmokeResult:
    async with candidate(folder / "data", {"sdk.js": "1;", "a b.js": "2;"}) as (_, build):
        test = WebhookTest(name="webhook", url=f"{url}/check?key=private", timeout_seconds=seconds)
        return await WebhookSmoke(lambda: SECRET, SystemClock()).run(test, build)


async def test_the_request_says_what_is_to_be_tested_and_is_signed(tmp_path: Path) -> None:
    service = Service(say(200, b'{"passed": true, "took": 3}'))
    with serving(service) as url:
        result = await ask(tmp_path, url)
    assert result == SmokeResult(
        True, "the webhook at 127.0.0.1 says that the build passed", '{"passed": true, "took": 3}'
    )
    [(path, headers, body)] = service.asked
    assert path == "/check?key=private"
    assert headers["content-type"] == "application/json"
    sent: dict[str, Any] = json.loads(body)
    assert {name: sent[name] for name in ("product", "version", "channel", "files_in_all")} == {
        "product": "sdk",
        "version": "1.0.0",
        "channel": "stable",
        "files_in_all": 2,
    }
    assert len(sent["digest"]) == 64
    assert [(file["path"], file["url"]) for file in sent["files"]] == [
        ("a b.js", "/sdk@1.0.0/a%20b.js"),
        ("sdk.js", "/sdk@1.0.0/sdk.js"),
    ]
    assert all(file["integrity"].startswith("sha384-") for file in sent["files"])
    # As docs/smoke-tests.md tells the receiver to check it.
    signed = headers["headrace-timestamp"].encode() + b"." + body
    assert headers["headrace-signature"] == "v1=" + hmac.new(SECRET, signed, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("status", "body", "finding"),
    [
        (200, b'{"passed": false, "why": "no global"}', "says that the build failed"),
        (200, b"<html>ok</html>", 'answered 200 without a JSON object that has "passed"'),
        (200, b'{"passed": "true"}', "answered 200 without"),
        (200, b'{"ok": true}', "answered 200 without"),
        (200, b"\xff\xfe", "answered 200 without"),
        (200, b'{"passed": true, "deep": ' + b"[" * 30_000, "answered 200 without"),
        (204, b"", "answered 204 without"),
        (500, b'{"passed": true}', "answered 500"),
        (404, b"", "answered 404"),
    ],
)
async def test_anything_else_fails(tmp_path: Path, status: int, body: bytes, finding: str) -> None:
    with serving(Service(say(status, body))) as url:
        result = await ask(tmp_path, url)
    assert not result.passed
    assert finding in result.finding
    assert result.output == body.decode("utf-8", "replace")
    assert "private" not in result.finding


async def test_redirects_are_not_followed(tmp_path: Path) -> None:
    good = Service(say(200, b'{"passed": true}'))
    with serving(good) as target, serving(Service(say(307, b"", location=target))) as url:
        result = await ask(tmp_path, url)
    assert not result.passed
    assert result.finding == "the webhook at 127.0.0.1 answered 307, and redirects are not followed"
    assert good.asked == []


async def test_a_service_that_is_slow_has_failed(tmp_path: Path) -> None:
    with serving(Service(drip)) as url:
        result = await ask(tmp_path, url, seconds=1)
    assert (result.passed, result.finding) == (
        False,
        "the webhook at 127.0.0.1 did not answer within 1 seconds",
    )


async def test_of_a_huge_answer_the_beginning_is_read(tmp_path: Path) -> None:
    with serving(Service(say(200, b"[" * (MAX_ANSWER_BYTES * 20)))) as url:
        result = await ask(tmp_path, url)
    assert not result.passed
    assert len(result.output) == MAX_ANSWER_BYTES


async def test_a_service_that_is_away_is_named_without_what_is_private(tmp_path: Path) -> None:
    with serving(Service(say(200, b""))) as url:
        pass
    result = await ask(tmp_path, url)
    assert (result.passed, result.finding) == (
        False,
        "the webhook at 127.0.0.1 could not be asked: ConnectError",
    )


async def test_without_a_good_secret_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    monkeypatch.setenv("HEADRACE_SMOKE_SECRET_FILE", str(file))
    with pytest.raises(Failed, match="can't read the secret"):
        service_wiring.smoke_secret()
    file.write_bytes(b"short\n")
    with pytest.raises(Failed, match="at least 16 bytes"):
        service_wiring.smoke_secret()
    file.write_bytes(SECRET + b"\n")
    assert service_wiring.smoke_secret() == SECRET
    monkeypatch.delenv("HEADRACE_SMOKE_SECRET_FILE")
    with pytest.raises(Failed, match="HEADRACE_SMOKE_SECRET_FILE"):
        service_wiring.smoke_secret()
    monkeypatch.setenv("HEADRACE_SMOKE_SECRET", SECRET.decode())
    assert service_wiring.smoke_secret() == SECRET
