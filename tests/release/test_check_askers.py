"""Checks are asked of servers that are well, broken and hostile: real ones on sockets."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.version import Version
from headrace import service_wiring
from release.adapters.prometheus_check import PrometheusCheck
from release.adapters.system_clock import SystemClock
from release.adapters.webhook_check import WebhookCheck
from release.ask_checks import CheckAskers
from release.core.check_rule import About, Answer, CheckRule, Finding
from release.core.names import STABLE
from tests.support.service import Answer as Reply
from tests.support.service import Service, drip, flood, hang, say, serving

pytestmark = pytest.mark.anyio

SECRET = b"a secret that both of them know"
ABOUT = About(Product("sdk"), STABLE, Version("1.1.0"), Version("1.0.0"), "5%", 5.0, 1_000)
DEEP = b'{"status": "success", "deep": ' + b"[" * 30_000


def sample(value: str) -> bytes:
    document = {"resultType": "vector", "result": [{"metric": {}, "value": [1.5, value]}]}
    return json.dumps({"status": "success", "data": document}).encode()


def prometheus_rule(url: str) -> CheckRule:
    query = 'errors{version="{candidate}"}'
    return CheckRule(name="errors", prometheus=url, query=query, most=0.05, every="1s", timeout="1s")


def webhook_rule(url: str) -> CheckRule:
    return CheckRule(name="oracle", webhook=f"{url}/check?key=private", every="1s", timeout="1s")


async def ask(rule: CheckRule, token: str | None = None) -> Answer:
    askers = CheckAskers(PrometheusCheck(lambda: token), WebhookCheck(lambda: SECRET, SystemClock()))
    return await askers.ask(rule, ABOUT)


async def test_prometheus_is_asked_by_post_with_the_query_filled_in_and_the_controllers_token() -> None:
    service = Service(say(200, sample("0.01")))
    with serving(service) as url:
        assert await ask(prometheus_rule(f"{url}/prom/"), "a-token") == Answer(
            Finding.GOOD, "0.01 is within its bounds"
        )
        service.answer = say(200, sample("0.5"))
        assert await ask(prometheus_rule(url)) == Answer(Finding.BAD, "0.5 is above 0.05")
    [(path, headers, body), (other_path, other_headers, _)] = service.asked
    assert (path, other_path) == ("/prom/api/v1/query", "/api/v1/query")
    assert headers["authorization"] == "Bearer a-token"
    assert "authorization" not in other_headers
    assert parse_qs(body.decode()) == {"query": ['errors{version="1.1.0"}'], "timeout": ["1s"]}


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (say(200, sample("NaN")), "says nan"),
        (say(200, sample("+Inf")), "says inf"),
        (say(200, b'{"status":"success","data":{"resultType":"vector","result":[]}}'), "has 0 values"),
        (say(400, b'{"status":"error","error":"parse error"}'), "answered 400: parse error"),
        (say(500, b"<html>"), "answered 500"),
        (say(503, sample("0.01")), "answered 503"),
        (say(200, sample("0.01") + b"}"), "with something else than Prometheus' JSON"),
        (say(200, b"\xff"), "with something else than Prometheus' JSON"),
        (say(200, DEEP), "with something else than Prometheus' JSON"),
        (say(200, sample("0.01") + b" " * 65_536), "answered more than 65536 bytes"),
        (flood, "answered more than 65536 bytes"),
        (drip, "did not answer within 1 seconds"),
        (hang, "did not answer within 1 seconds"),
    ],
)
async def test_what_prometheus_does_not_say_plainly_is_not_known(reply: Reply, why: str) -> None:
    with serving(Service(reply)) as url:
        answer = await ask(prometheus_rule(url))
    assert answer.finding is Finding.UNKNOWN
    assert answer.reason.startswith("Prometheus at 127.0.0.1 ")
    assert why in answer.reason


async def test_the_webhook_is_told_what_it_is_about_and_its_verdict_counts() -> None:
    service = Service(say(200, b'{"verdict": "abort", "reason": "too\\nmany", "took": 3}'))
    with serving(service) as url:
        assert await ask(webhook_rule(url)) == Answer(Finding.BAD, "the webhook at 127.0.0.1 says abort: too many")
        service.answer = say(200, b'{"verdict": "promote"}')
        assert await ask(webhook_rule(url)) == Answer(Finding.GOOD, "the webhook at 127.0.0.1 says promote")
    [(path, headers, body), _] = service.asked
    assert path == "/check?key=private"
    sent: dict[str, Any] = json.loads(body)
    assert sent == {**msgspec.to_builtins(ABOUT), "check": "oracle"}
    # As docs/smoke-tests.md tells the receiver to check it.
    signed = headers["headrace-timestamp"].encode() + b"." + body
    assert headers["headrace-signature"] == "v1=" + hmac.new(SECRET, signed, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (say(200, b'{"verdict": "hold", "reason": "few reports"}'), "says hold: few reports"),
        (say(200, b'{"verdict": "go"}'), "answered 200 without a small JSON object"),
        (say(200, b'{"passed": true}'), "answered 200 without a small JSON object"),
        (say(200, b'{"verdict": "promote"}' + b" " * 65_536), "answered 200 without a small JSON object"),
        (say(200, b'{"verdict": "promote", "deep": ' + DEEP), "answered 200 without a small JSON object"),
        (say(500, b'{"verdict": "abort"}'), "answered 500"),
        (hang, "did not answer within 1 seconds"),
    ],
)
async def test_what_the_webhook_does_not_say_plainly_is_not_known(reply: Reply, why: str) -> None:
    with serving(Service(reply)) as url:
        answer = await ask(webhook_rule(url))
    assert answer.finding is Finding.UNKNOWN
    assert why in answer.reason
    assert "private" not in answer.reason


@pytest.mark.parametrize("rule_of", [prometheus_rule, webhook_rule])
async def test_redirects_are_not_followed_and_who_is_away_is_not_known(rule_of: Any) -> None:
    good = Service(say(200, sample("0.01")))
    with serving(good) as target, serving(Service(say(307, b"", location=target))) as url:
        answer = await ask(rule_of(url))
    assert answer.finding is Finding.UNKNOWN
    assert answer.reason.endswith("answered 307, and redirects are not followed")
    assert good.asked == []
    for nowhere in (target, "http://a..b", "http://xn--a", "http://127.0.0.1:0"):
        answer = await ask(rule_of(nowhere))
        assert answer.finding is Finding.UNKNOWN
        assert "could not be asked" in answer.reason


async def test_prometheus_token_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HEADRACE_PROMETHEUS_TOKEN_FILE", raising=False)
    monkeypatch.delenv("HEADRACE_PROMETHEUS_TOKEN", raising=False)
    assert service_wiring.prometheus_token() is None
    monkeypatch.setenv("HEADRACE_PROMETHEUS_TOKEN", "from-the-environment")
    assert service_wiring.prometheus_token() == "from-the-environment"
    file = tmp_path / "token"
    monkeypatch.setenv("HEADRACE_PROMETHEUS_TOKEN_FILE", str(file))
    with pytest.raises(Failed, match="can't read the token for Prometheus"):
        service_wiring.prometheus_token()
    for content, why in ((b"\n", "is empty"), (b"a\nb", "one line"), (b"\xff", "not ASCII")):
        file.write_bytes(content)
        with pytest.raises(Failed, match=why):
            service_wiring.prometheus_token()
    file.write_bytes(b"a-token\n")
    assert service_wiring.prometheus_token() == "a-token"


async def test_where_nothing_can_be_asked_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PROMETHEUS_TOKEN_FILE", "/nowhere/token")
    monkeypatch.delenv("HEADRACE_SMOKE_SECRET_FILE", raising=False)
    monkeypatch.setenv("HEADRACE_SMOKE_SECRET", "short")
    askers = CheckAskers(
        PrometheusCheck(service_wiring.prometheus_token), WebhookCheck(service_wiring.smoke_secret, SystemClock())
    )
    for rule, why in (
        (prometheus_rule("http://127.0.0.1:9"), "can't read the token"),
        (webhook_rule("http://127.0.0.1:9"), "at least 16 bytes"),
    ):
        answer = await askers.ask(rule, ABOUT)
        assert answer.finding is Finding.UNKNOWN
        assert why in answer.reason
