"""`rollout watch`: a rollout as it goes on, and its exit code at the end."""

import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import termios
import time
from pathlib import Path

import anyio
import pytest

from bundles.core.names import Product
from bundles.core.version import Version
from headrace.health_wiring import health_store
from release.core.bucket import BasisPoints, bucket_of, cohort_size
from release.core.counts import slot_of
from release.core.names import Tenant
from tests.support.cli import HEADRACE, environment, fail, publish, release, run, succeed
from tests.support.processes import controller
from tests.support.reports import ERRORED, LOADED, Outcomes, report

SDK = Product("sdk")
TENANTS = [Tenant(f"tenant-{number}") for number in range(200)]
POLICY = '[[gate]]\nproducts = ["sdk"]\n[[rollout]]\nsalt = "salt"\n'
SECONDS = 60
GLASS = ("--break-glass", "--reason", "we must")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gate, a stable build for everyone, and a candidate for a quarter of all."""
    folder = tmp_path_factory.mktemp("watched")
    data, policy = folder / "data", folder / "policy.toml"
    publish(data, folder, "1.0.0")
    publish(data, folder, "1.1.0")
    policy.write_text(POLICY)
    succeed(data, "apply", str(policy))
    release(data, "1.0.0")
    succeed(data, "rollout", "start", "sdk", "1.1.0", "--stages", "25,100")
    return data


@pytest.fixture
def data(prepared: Path, tmp_path: Path) -> Path:
    """The same, for one test."""
    return Path(shutil.copytree(prepared, tmp_path / "data"))


def watching(data: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [HEADRACE, "rollout", "watch", "sdk", *arguments],
        env=environment(data),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def break_candidate(data: Path) -> None:
    """A fifth of the candidate's installations fails."""
    early = [tenant for tenant in TENANTS if bucket_of("salt", tenant) < cohort_size(BasisPoints(2500))]
    bad: Outcomes = {LOADED: 4, ERRORED: 1}
    async with health_store(data, None) as store:
        slot = slot_of(time.time())
        await report(store.counting, slot, SDK, Version("1.1.0"), dict.fromkeys(early, bad))
        others = [tenant for tenant in TENANTS if tenant not in early]
        await report(store.counting, slot, SDK, Version("1.0.0"), {tenant: {LOADED: 5} for tenant in others})


def test_a_candidate_that_its_gate_takes_back_ends_the_watch_with_7(data: Path) -> None:
    watcher = watching(data, "--json", "--interval", "0.2")
    with controller(data):
        anyio.run(break_candidate, data)
        out, err = watcher.communicate(timeout=SECONDS)
    assert (watcher.returncode, err) == (7, "")
    decoder, views = json.JSONDecoder(), []
    for line in out.splitlines():
        view, end = decoder.raw_decode(line)
        assert end == len(line)
        views.append(view)
    assert views[0]["ended"] is None
    assert views[0]["channel"]["rollout"]["held"]
    ended = views[-1]["ended"]
    assert (ended["how"], ended["actor"]) == ("rolled-back", "controller")
    assert ended["reason"].startswith("health gate: its error rate is above the stable build's")
    # Who looks later gets the same answer.
    later = run(data, "rollout", "watch", "sdk", "1.1.0")
    assert (later.returncode, "rolled-back by controller" in later.stdout) == (7, True)
    assert "1.0.0" in succeed(data, "rollout", "status", "sdk")["stable"]


def test_a_rollout_that_is_done_ends_it_with_0(data: Path) -> None:
    watcher = watching(data, "1.1.0", "--interval", "0.1")
    succeed(data, "rollout", "promote", "sdk", "--to", "done", "--break-glass", "--reason", "we must")
    out, err = watcher.communicate(timeout=SECONDS)
    assert (watcher.returncode, err) == (0, "")
    assert "sdk stable 1.1.0: done by sam at " in out.splitlines()[-1]


def test_a_person_who_takes_it_back_ends_it_with_7_and_so_does_another_candidate(data: Path) -> None:
    succeed(data, "rollout", "abort", "sdk", "--reason", "it looks wrong")
    aborted = run(data, "rollout", "watch", "sdk", "1.1.0")
    assert (aborted.returncode, "rolled-back by sam" in aborted.stdout) == (7, True)
    assert "it looks wrong" in aborted.stdout
    succeed(data, "rollout", "start", "sdk", "1.1.0", "--stages", "25,100")
    succeed(data, "rollback", "sdk")
    assert run(data, "rollout", "watch", "sdk", "1.1.0").returncode == 7


def test_a_watch_ends_with_6_after_its_time(data: Path) -> None:
    assert run(data, "rollout", "watch", "sdk", "--timeout", "1s").returncode == 6


def test_a_change_goes_on_as_a_watch_of_its_rollout(data: Path) -> None:
    assert "give that too" in fail(data, "rollout", "promote", "sdk", "--timeout", "1s", code=2)
    assert "duration" in fail(data, "rollout", "promote", "sdk", "--wait", "--timeout", "soon", code=2)
    assert run(data, "rollout", "promote", "sdk", "--wait", "--timeout", "1s", *GLASS).returncode == 6
    done = run(data, "rollout", "promote", "sdk", "--wait", *GLASS)
    assert (done.returncode, "sdk stable 1.1.0: done by sam at " in done.stdout) == (0, True)
    waiter = subprocess.Popen(
        [HEADRACE, "rollout", "start", "sdk", "1.0.0", "--wait"],
        env=environment(data),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waiter.stdout is not None
    assert waiter.stdout.readline().startswith("sdk stable 1.0.0: running at staging")
    succeed(data, "rollout", "abort", "sdk")
    out, _ = waiter.communicate(timeout=SECONDS)
    assert (waiter.returncode, "rolled-back by sam" in out) == (7, True)


def test_there_must_be_something_to_watch(data: Path) -> None:
    assert "was not rolled out" in fail(data, "rollout", "watch", "sdk", "9.9.9", code=3)
    succeed(data, "rollout", "abort", "sdk")
    assert "no live rollout" in fail(data, "rollout", "watch", "sdk", code=3)


def test_on_a_terminal_the_view_is_drawn_in_place(data: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    watcher = subprocess.Popen(
        [HEADRACE, "rollout", "watch", "sdk", "--timeout", "2s"],
        env=environment(data),
        stdin=theirs,
        stdout=theirs,
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 65_536)
        except OSError:
            break
    assert watcher.wait(SECONDS) == 6
    os.close(ours)
    drawn = b" ".join(seen.split())
    assert b"rollout: 1.1.0 running: (25%) > 100% > done" in drawn
    assert b"held by its gate: there are too few reports to tell" in drawn  # on two of its narrow lines
