"""Origins stop, start and are renewed while clients ask: who has connected is answered."""

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.cli import HEADRACE, fail, run, succeed
from tests.support.load import Load, ask
from tests.support.processes import Origin, origin

pytestmark = pytest.mark.anyio

_PATIENCE_SECONDS = 10
KNOWN = ("/sdk@1.0.0/sdk.js", "/t/acme/sdk/sdk.js", "/t/acme/sdk.json")


async def test_workers_are_renewed_under_load_and_no_request_fails(released_data: Path) -> None:
    with origin(released_data, "--workers", "2") as process:
        await asyncio.to_thread(process.wait_for, "workers listening")
        load = Load([process.url + path for path in KNOWN])
        async with load.running(clients=8):
            for _ in range(3):
                await load.more(100)
                process.signal(signal.SIGHUP)
                await asyncio.to_thread(process.wait_for, "workers renewed")
                await load.more(100)
        assert load.failures == []
        assert (await ask(f"{process.probes}/readyz")).status == 200
    pids = {record["pid"] for record in process.log if record["event"] == "origin listening"}
    assert len(pids) == 8
    assert len([record for record in process.log if record["event"] == "origin stopped"]) == 8


def test_workers_are_counted_as_one_and_a_killed_one_is_replaced(released_data: Path) -> None:
    with origin(released_data, "--workers", "2") as process:
        first = process.wait_for("origin listening")["pid"]
        process.wait_for("workers listening")
        for _ in range(40):
            assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200
        exact = 'headrace_origin_requests_total{status="200",url_class="exact"}'
        wait_until_counted(process, exact, 40)
        os.kill(first, signal.SIGKILL)
        assert process.wait_for("worker ended")["pid"] == first
        process.wait_for("origin listening")
        assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200
        wait_until_counted(process, exact, 41)
        assert process.count("headrace_origin_snapshot_revision") > 0


def test_workers_that_can_not_be_renewed_go_on(released_data: Path) -> None:
    with origin(released_data, "--workers", "1") as process:
        process.wait_for("workers listening")
        assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200
        (released_data / "keys").rename(released_data / "away")
        process.signal(signal.SIGHUP)
        process.wait_for("workers not renewed")
        assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200


def test_workers_whose_program_is_away_go_on_and_are_renewed_once_it_is_back(
    released_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    process = Origin(released_data, "--workers", "1", command=(str(python), str(HEADRACE)))
    process.wait_for("workers listening")
    python.unlink()
    process.signal(signal.SIGHUP)
    process.wait_for("workers not renewed")
    assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200
    python.symlink_to(sys.executable)
    process.signal(signal.SIGHUP)
    process.wait_for("workers renewed")
    assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200
    assert process.stop() == 0


async def test_workers_do_not_outlive_a_killed_supervisor(released_data: Path) -> None:
    process = Origin(released_data, "--workers", "2")
    process.wait_for("workers listening")
    process.kill()
    async with asyncio.timeout(30):
        while True:
            try:
                await ask(f"{process.probes}/healthz")
            except (OSError, EOFError):
                break
            await asyncio.sleep(0.05)
    assert process.stop() == -signal.SIGKILL


def test_workers_that_can_not_start_are_one_clear_failure(
    released_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_STORE", "ftp://nowhere")
    result = run(released_data, "serve", "--port", "0", "--probe-port", "0", "--workers", "2")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "is no place in S3" in result.stderr
    assert "headrace: the workers ended at their start: the log says why" in result.stderr


def test_who_had_connected_before_the_stop_is_answered(released_data: Path) -> None:
    process = Origin(released_data)
    where = urlsplit(process.url)
    assert where.hostname
    assert where.port
    with socket.create_connection((where.hostname, where.port), timeout=30) as client:
        httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").raise_for_status()
        process.signal(signal.SIGTERM)
        wait_until_refused(where.hostname, where.port)
        time.sleep(0.5)  # as a client far away, whose request is on its way
        client.sendall(b"GET /sdk@1.0.0/sdk.js HTTP/1.1\r\nhost: x\r\n\r\n")
        reply = b"".join(iter(lambda: client.recv(65536), b"")).lower()
    assert reply.startswith(b"http/1.1 200 ok\r\n")
    assert b"\r\nconnection: close\r\n" in reply
    assert process.stop() == 0


def wait_until_refused(host: str, port: int) -> None:
    """Return once no connection is taken any more."""
    while True:
        try:
            socket.create_connection((host, port), timeout=30).close()
        except OSError:
            return


def test_reload_config_takes_up_changed_options_and_says_when_that_is_done(
    released_data: Path, tmp_path: Path
) -> None:
    config = tmp_path / "origin.toml"
    config.write_text('workers = 1\nhost = "127.0.0.1"\n')
    with origin(released_data, "--config", str(config)) as process:
        process.wait_for("workers listening")
        port = str(urlsplit(process.url).port)
        assert counts_again(process)
        config.write_text("workers = 1\nfast-lane = false\n")
        told = succeed(released_data, "serve", "--reload-config", "--config", str(config), "--port", port)
        assert told == {"renewed": f"127.0.0.1:{port}"}
        assert not counts_again(process)


def test_reload_config_that_can_not_be_taken_up_changes_nothing(released_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "origin.toml"
    config.write_text("workers = 1\n")
    with origin(released_data, "--config", str(config)) as process:
        process.wait_for("workers listening")
        ask_again = ("serve", "--reload-config", "--port", str(urlsplit(process.url).port))
        config.write_text("workers = 1\ncache-mib = 0\n")
        assert "could not start" in fail(released_data, *ask_again, code=1)
        config.write_text("workers = 1\ncache = 5\n")
        assert "no option 'cache'" in fail(released_data, *ask_again, "--config", str(config), code=2)
        assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200


def test_reload_config_without_an_origin_that_can_be_asked_says_so(released_data: Path) -> None:
    with origin(released_data) as process:
        port = str(urlsplit(process.url).port)
        assert "no origin with --workers" in fail(
            released_data, "serve", "--reload-config", "--port", port, code=1
        )


def counts_again(process: Origin) -> bool:
    """True where an origin sends again what it has sent."""
    sent_again = "headrace_origin_answers_sent_again_total"
    before = process.count(sent_again)
    with httpx.Client() as client:
        for _ in range(3):
            client.get(f"{process.url}/sdk@1.0.0/sdk.js")
    return process.count(sent_again) > before


def wait_until_counted(process: Origin, sample: str, count: float) -> None:
    """A worker tells the others what it has counted each second."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.count(sample) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.count(sample) == count
