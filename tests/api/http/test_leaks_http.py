"""A leaked token is reported to the running server, and lets nobody in any more."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.core.request import MAX_BODY_BYTES
from api.core.role import Role
from release.core.signature import sign
from tests.api.test_leaks import SECRET, report
from tests.support.api import PROBLEM, Asker, grant_of, make_token
from tests.support.cli import fail
from tests.support.processes import ApiProcess, api


@pytest.fixture(scope="module")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("leaks") / "secret"
    file.write_bytes(SECRET)
    file.chmod(0o600)
    return file


@pytest.fixture(scope="module")
def listening(api_data: Path, secret_file: Path) -> Iterator[ApiProcess]:
    """A server that believes reports."""
    with api(api_data, "--leaks-secret", str(secret_file), "--strangers", "8") as process:
        yield process


def send(server: ApiProcess, body: bytes, secret: bytes = SECRET) -> httpx.Response:
    now = int(time.time())
    headers = {"headrace-timestamp": str(now), "headrace-signature": f"v1={sign(secret, now, body)}"}
    return httpx.post(f"{server.url}/api/v1/leaks", content=body, headers=headers)


def test_a_leaked_token_lets_nobody_in_any_more(listening: ApiProcess, api_data: Path) -> None:
    leaked = make_token(api_data, "leaked", grant_of(Role.RELEASER))
    kept = make_token(api_data, "kept", grant_of(Role.ADMIN))
    with httpx.Client() as http:
        holder, admin = Asker(http, listening.url, leaked), Asker(http, listening.url, kept)
        assert holder.ask("GET", "/me").status_code == 200
        forged = send(listening, report(leaked), b"another secret than ours")
        assert (forged.status_code, forged.json()["type"]) == (401, f"{PROBLEM}not-authenticated")
        assert holder.ask("GET", "/me").status_code == 200
        answer = send(listening, report("hdr_none", leaked))
        assert (answer.status_code, answer.content) == (204, b"")
        holder.refused("GET", "/me", 401, "not-authenticated")
        change = admin.get("/changes", params={"limit": "1"})["items"][0]
        assert (change["actor"], change["verb"]) == ("leak-report", "token-revoke")
        assert leaked not in str(change)


def test_a_report_is_bounded(listening: ApiProcess) -> None:
    too_large = send(listening, b" " * (MAX_BODY_BYTES + 1))
    assert (too_large.status_code, too_large.json()["type"]) == (413, f"{PROBLEM}too-large")
    none = send(listening, b"{}")
    assert (none.status_code, none.json()["type"]) == (422, f"{PROBLEM}invalid")
    answers = [send(listening, report("x"), b"another secret than ours") for _ in range(8)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0


def test_without_a_secret_or_keys_no_report_is_believed(server: ApiProcess) -> None:
    assert send(server, report("x")).status_code == 401


def test_a_secret_that_others_can_read_is_refused(api_data: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    secret.chmod(0o644)
    assert "can be read by others" in fail(api_data, "api", "--leaks-secret", str(secret), code=3)
