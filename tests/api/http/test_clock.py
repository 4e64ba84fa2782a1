"""A running API whose machine's clock is set back an hour or ahead a day."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from api.core.access import Grant
from api.core.role import Role
from tests.support.api import Asker, grant_of, make_named, make_session, make_token
from tests.support.cli import HEADRACE
from tests.support.processes import api

HOUR, DAY = 3600, 24 * 3600
PIN = "/products/sdk/pins/acme/production"
LIBRARY = "libfaketime.so.1"
SetClock = Callable[[int], None]


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a process reads by how many seconds its clock is ahead."""
    file = tmp_path_factory.mktemp("clock") / "offset"
    file.write_text("+0")
    return file


@pytest.fixture
def set_clock(clock: Path) -> Iterator[SetClock]:
    """Sets it by so many seconds; at the end it is right."""

    def put(seconds: int) -> None:
        written = clock.with_name("new")
        written.write_text(f"{seconds:+d}")
        written.rename(clock)

    yield put
    put(0)


@pytest.fixture(scope="module")
def secrets(api_data: Path) -> dict[str, str]:
    """Of tokens that are valid for two hours, and of a pipeline's session."""
    grant = grant_of(Role.ADMIN)
    names: dict[str, Grant] = {"one": grant, "busy": grant}
    tokens = make_named(api_data, names, lifetime=2 * HOUR)
    long = make_token(api_data, "long", grant, lifetime=30 * DAY)
    return {**tokens, "long": long, "session": make_session(api_data, grant)}


@pytest.fixture(scope="module")
def askers(api_data: Path, clock: Path, secrets: dict[str, str]) -> Iterator[dict[str, Asker]]:
    """Who asks, at a server by that clock; its timers go by another one, as ever."""
    (library,) = Path("/usr/lib").glob(f"*/faketime/{LIBRARY}")
    faked = ("FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", f"FAKETIME_TIMESTAMP_FILE={clock}")
    command = ("env", f"LD_PRELOAD={library}", *faked, str(HEADRACE))
    limits = ("--changes", "20", "--strangers", "5")
    with api(api_data, *limits, command=command) as process, httpx.Client(timeout=60) as http:
        yield {name: Asker(http, process.url, secret) for name, secret in secrets.items()}
        assert not [line for line in process.log if line["event"] == "request broke"]


def test_a_clock_a_day_ahead_ends_what_has_ended_by_it(askers: dict[str, Asker], set_clock: SetClock) -> None:
    for name in ("one", "long"):
        assert askers[name].ask("GET", "/me").status_code == 200
    set_clock(DAY)
    for name in ("one", "session"):
        askers[name].refused("GET", "/me", 401, "not-authenticated")
    assert askers["long"].ask("PUT", PIN, json={"target": "1.0.0"}).status_code == 200
    set_clock(0)
    assert askers["one"].ask("GET", "/me").status_code == 200
    assert askers["one"].ask("PUT", PIN, json={"target": "1.0.0"}).status_code == 200
    assert askers["one"].get("/audit/verdict")["faults"] == []


def test_a_clock_an_hour_back_changes_no_order_and_no_limit(askers: dict[str, Asker], set_clock: SetClock) -> None:
    one, busy = askers["one"], askers["busy"]
    change = {"json": {"target": "1.1.0", "reason": "back"}, "headers": {"idempotency-key": "back"}}
    before = one.get("/audit/verdict")["revision"]
    first = one.ask("PUT", PIN, **change)
    set_clock(-HOUR)
    assert one.ask("PUT", PIN, **change).text == first.text
    assert one.get("/audit/verdict") == {"revision": before + 1, "vouched_for": before + 1, "faults": []}
    assert one.ask("PUT", PIN, json={"target": "1.0.0"}).status_code == 200
    assert one.get("/audit/verdict")["faults"] == []
    told = [busy.ask("POST", "/products/sdk/channels/stable/rollout/pause") for _ in range(22)]
    assert [answer.status_code for answer in told].count(429) >= 1
    assert 0 < int(told[-1].headers["retry-after"]) <= 60
    stranger = [Asker(one.http, one.server, "none").ask("GET", "/me") for _ in range(7)]
    assert stranger[-1].status_code == 429
    set_clock(0)
    assert one.ask("GET", "/me").status_code == 200
