"""A real Prometheus and a webhook decide on a rollout of a running controller."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from release.adapters.prometheus_check import PrometheusCheck
from release.ports import Unanswered
from tests.contract.conftest import free_port
from tests.support.cli import fail, run, succeed
from tests.support.processes import controller
from tests.support.prometheus import PrometheusServer, prometheus_server
from tests.support.service import Answer, Service, say, serving

PATIENCE_SECONDS = 60
POLICY = """
[[check]]
name = "errors"
prometheus = "{prometheus}"
query = 'errors{{version="{{candidate}}"}}'
most = 0.05
every = "1s"
timeout = "1s"
failures = 2

[[check]]
name = "oracle"
webhook = "{webhook}"
every = "1s"
timeout = "1s"
"""


def exposed(errors: float) -> Answer:
    """Two builds' metrics, as Prometheus scrapes them."""
    lines = f'errors{{version="1.0.0"}} 0.01\nerrors{{version="1.1.0"}} {errors}\n'
    return say(200, lines.encode(), **{"content-type": "text/plain; version=0.0.4"})


def says(verdict: str) -> Answer:
    return say(200, json.dumps({"verdict": verdict}).encode())


def wait_until(holds: Callable[[Any], bool], data: Path) -> Any:
    """The channel, once this holds of it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds(status := succeed(data, "rollout", "status", "sdk")):
        assert time.monotonic() < deadline, status
    return status


def verdicts(status: Any) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in status["rollout"]["checks"]}


async def read_what_is_no_single_value(server: PrometheusServer) -> None:
    prometheus = PrometheusCheck(lambda: None)
    assert await prometheus.value(server.url, "1 + 1", 5) == 2
    assert await prometheus.value(server.url, "vector(0) / 0", 5) != 0  # NaN, which is for the rule to judge
    for query, why in (
        ("sum(", "answered 400: .*parse error"),
        ("errors", "has 2 values"),
        ("nothing", "has 0 values"),
        ("errors[5m]", "has a matrix"),
        ('"text"', "has a string"),
    ):
        with pytest.raises(Unanswered, match=why):
            await prometheus.value(server.url, query, 5)


def test_a_rollout_goes_on_holds_and_is_aborted_by_what_they_say(
    released_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_SMOKE_SECRET", "a secret that both of them know")
    data, metrics, oracle = released_data, Service(exposed(0.01)), Service(says("hold"))
    with (
        serving(metrics),
        serving(oracle),
        prometheus_server(tmp_path / "prometheus", int(free_port()), metrics.url) as server,
        controller(data) as process,
    ):
        policy = tmp_path / "policy.toml"
        policy.write_text(POLICY.format(prometheus=server.url, webhook=oracle.url))
        succeed(data, "apply", str(policy))
        succeed(data, "rollout", "start", "sdk", "1.1.0", "--stages", "5@1s,100")
        wait_until(lambda seen: verdicts(seen) == {"errors": "promote", "oracle": "hold"}, data)
        anyio.run(read_what_is_no_single_value, server)

        server.kill()
        oracle.answer = says("promote")
        held = wait_until(lambda seen: verdicts(seen) == {"errors": "hold", "oracle": "promote"}, data)
        process.log.clear()
        while not [each for each in process.log if each["event"] == "check"]:  # a second, in which it ticks
            time.sleep(0.05)
        line = fail(data, "rollout", "promote", "sdk", code=3)
        assert "stays at 5%: check errors: Prometheus at 127.0.0.1 could not be asked: ConnectError." in line
        assert held["rollout"]["stage"] == 0
        assert "check errors: hold: Prometheus at" in run(data, "rollout", "status", "sdk").stdout

        server.start()
        wait_until(lambda seen: seen["rollout"]["stage"] == 1, data)
        metrics.answer = exposed(0.5)
        ended = wait_until(lambda seen: seen["rollout"] is None, data)
        assert ended["stable"] == "1.0.0"
    [*_, promoted, last] = succeed(data, "history", "sdk")
    assert (last["actor"], last["verb"]) == ("controller", "abort")
    assert last["reason"] == "check errors: 0.5 is above 0.05, 2 times without a good answer between"
    assert (promoted["actor"], promoted["verb"]) == ("controller", "promote")
