"""Checks as they are written in the policy, what is asked, and what follows from the answers."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.check_rule import About, Answer, CheckRule, Finding, MetricSource
from release.core.checks import CheckState, answered, conclude, is_checked, is_due, known
from release.core.codec import decode_document, encode_document
from release.core.gate import Verdict
from release.core.names import STABLE
from release.core.plan import parse_plan
from release.core.policy import Policy
from release.core.prometheus_answer import PrometheusAnswer
from release.core.promql import PLACEHOLDERS, check_query, fill
from release.core.routing import Rollout

PROMETHEUS = {
    "name": "errors",
    "prometheus": "http://prometheus.example:9090",
    "query": 'sum(rate(errors{version="{candidate}"}[5m]))',
    "most": 0.05,
}
WEBHOOK = {"name": "oracle", "webhook": "https://oracle.example/headrace?key=private"}
RULE = msgspec.convert(PROMETHEUS, CheckRule)
ROLLOUT = Rollout(
    Version("1.1.0"), parse_plan("staging,5,100", [], "10m"), "salt", stage_index=1, stage_since=1_000, begun=7
)
GOOD, BAD, UNKNOWN = (Answer(finding, f"it is {finding}") for finding in Finding)


def policy(*checks: dict[str, Any]) -> Policy:
    return msgspec.convert({"check": list(checks)}, Policy)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({**PROMETHEUS, "name": "Errors"}, "is not a check's name"),
        ({**PROMETHEUS, **WEBHOOK}, "either prometheus or a webhook"),
        ({"name": "errors"}, "either prometheus or a webhook"),
        ({**PROMETHEUS, "colour": 1}, "colour"),
        ({**PROMETHEUS, "query": None}, "give its query"),
        ({**PROMETHEUS, "most": None}, "give its query, and least, most or both"),
        ({**PROMETHEUS, "most": math.inf}, "finite"),
        ({**PROMETHEUS, "most": math.nan}, "finite"),
        ({**PROMETHEUS, "least": 0.06}, "least is not above most"),
        ({**PROMETHEUS, "query": "up{" * 2_000}, "length <= 4000"),
        ({**PROMETHEUS, "query": "up\x1b"}, "no control characters"),
        ({**PROMETHEUS, "query": 'up{job="{tenant}"}'}, "not {tenant}"),
        ({**PROMETHEUS, "query": "errors_{product}"}, "as a label's value"),
        ({**PROMETHEUS, "query": "up{job=`{product}`}"}, "as a label's value"),
        ({**PROMETHEUS, "query": 'up{job="x\\"}'}, "has no end"),
        ({**PROMETHEUS, "prometheus": "http://sam:s3cr3t@prometheus.example"}, "no user, password"),
        ({**PROMETHEUS, "prometheus": "http://prometheus.example?x=1"}, "without a query"),
        ({**PROMETHEUS, "prometheus": "file:///etc/passwd"}, "an http or https URL"),
        ({**PROMETHEUS, "failures": 0}, "failures is 1 to 100"),
        ({**PROMETHEUS, "failures": 101}, "failures is 1 to 100"),
        ({**PROMETHEUS, "every": "0s"}, "every 1s to 1d"),
        ({**PROMETHEUS, "every": "25h"}, "every 1s to 1d"),
        ({**PROMETHEUS, "every": "soon"}, "not a duration"),
        ({**PROMETHEUS, "timeout": "0s"}, "its timeout is 1s to 60s"),
        ({**PROMETHEUS, "timeout": "61s", "every": "5m"}, "its timeout is 1s to 60s"),
        ({**PROMETHEUS, "timeout": "10s", "every": "5s"}, "not longer than every 5s"),
        ({**WEBHOOK, "most": 1.0}, "a webhook says what is to be done"),
        ({**WEBHOOK, "failures": 2}, "a webhook says what is to be done"),
        ({**WEBHOOK, "webhook": "https://sam@oracle.example/"}, "no user, password"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(changed: dict[str, Any], why: str) -> None:
    policy(PROMETHEUS, WEBHOOK)
    with pytest.raises(msgspec.ValidationError, match=why) as raised:
        policy({name: value for name, value in changed.items() if value is not None})
    assert "s3cr3t" not in str(raised.value)


def test_checks_are_those_that_match_and_have_names_of_their_own() -> None:
    rules = policy(PROMETHEUS, {**WEBHOOK, "products": ["other-*"]})
    assert [rule.name for rule in rules.checks(Product("sdk"), STABLE)] == ["errors"]
    assert [rule.name for rule in rules.checks(Product("other-sdk"), STABLE)] == ["errors", "oracle"]
    assert decode_document(encode_document(rules), Policy) == rules
    with pytest.raises(msgspec.ValidationError, match="two checks are named 'errors'"):
        policy(PROMETHEUS, {**WEBHOOK, "name": "errors"})


def test_a_query_is_filled_in_where_labels_are_and_nowhere_else() -> None:
    query = """a{v="{candidate}", w='{stable}/{stage}'} # by {candidates}? no: it's a comment, "open
        or b{v=~`\\d{2}`, q="a\\"{channel}"}"""
    with pytest.raises(Invalid, match=r"not \{candidates\}"):
        check_query(query)
    query = query.replace("{candidates}", "candidates")
    check_query(query)
    values = {"product": "@acme/x", "channel": "stable", "candidate": "1.1.0+b", "stable": "", "stage": "5%"}
    assert fill(query, values) == (
        """a{v="1.1.0+b", w='/5%'} # by candidates? no: it's a comment, "open
        or b{v=~`\\d{2}`, q="a\\"stable"}"""
    )


@given(st.sampled_from("\"'"), st.sampled_from(PLACEHOLDERS), st.text(max_size=20))
def test_no_value_breaks_out_of_its_string(quote: str, name: str, text: str) -> None:
    filled = fill(f"a{{v={quote}<{{{name}}}>{quote}}}", dict.fromkeys(PLACEHOLDERS, text))
    inner = filled.removeprefix(f"a{{v={quote}<").removesuffix(f">{quote}}}")
    assert not set(inner) & set("\"'\n{}`#")
    # Go's \U with eight digits is Python's too.
    assert inner.encode("ascii", "backslashreplace").decode("unicode_escape") == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"status":"success","data":{"resultType":"scalar","result":[1,"2.5"]}}', 2.5),
        ('{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1.5,"1e3"]}]}}', 1e3),
        ('{"status":"success","data":{"resultType":"vector","result":[]}}', "has 0 values"),
        (
            '{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"1"]},{"value":[1,"2"]}]}}',
            "has 2 values",
        ),
        ('{"status":"success","data":{"resultType":"vector","result":[{"histogram":[1,{}]}]}}', "has a histogram"),
        ('{"status":"success","data":{"resultType":"vector","result":{}}}', "can't be read"),
        ('{"status":"success","data":{"resultType":"matrix","result":[]}}', "has a matrix"),
        ('{"status":"success","data":{"resultType":"string","result":[1,"1"]}}', "has a string"),
        ('{"status":"success","data":{"resultType":"scalar","result":[1,"one"]}}', "no number"),
        ('{"status":"success","data":{"resultType":"scalar","result":[1,1]}}', "can't be read"),
        ('{"status":"success"}', "says that it failed"),
        ('{"status":"error","errorType":"timeout","error":"too slow"}', "says too slow"),
        (
            '{"status":"success","warnings":["a store is away"],"data":{"resultType":"scalar","result":[1,"0"]}}',
            "warns: a store is away",
        ),
    ],
)
def test_only_one_plain_value_is_a_value(text: str, expected: float | str) -> None:
    answer = msgspec.json.decode(text, type=PrometheusAnswer)
    if isinstance(expected, float):
        assert answer.value() == expected
        return
    with pytest.raises(Invalid, match=expected):
        answer.value()


def test_bounds_are_good_themselves_and_what_is_no_finite_number_is_not_known() -> None:
    source = MetricSource("http://prometheus.example/private", "up", least=0.0, most=0.05)
    findings = {value: source.judge(value).finding for value in (-0.01, 0.0, 0.05, 0.0501, math.inf, -math.inf)}
    assert list(findings.values()) == ["bad", "good", "good", "bad", "unknown", "unknown"]
    assert source.judge(math.nan) == Answer(Finding.UNKNOWN, "Prometheus at prometheus.example says nan")
    assert source.judge(0.06).reason == "0.06 is above 0.05"
    assert source.judge(-1).reason == "-1 is below 0"
    assert MetricSource("http://p/", "up", least=1, most=None).judge(2).finding is Finding.GOOD


answers = st.sampled_from([GOOD, BAD, UNKNOWN])


def after(*given_answers: Answer, rule: CheckRule = RULE) -> CheckState | None:
    """What is known after these answers, one every minute from just after the stage's beginning on."""
    state = None
    for place, answer in enumerate(given_answers):
        state = answered(state, rule, ROLLOUT, answer, 1_001 + 60 * place)
    return state


@given(st.lists(answers, max_size=12), st.integers(1, 4))
def test_it_aborts_after_so_many_bad_answers_with_no_good_one_between_and_for_good(
    asked: list[Answer], failures: int
) -> None:
    rule = msgspec.structs.replace(RULE, failures=failures)
    worst = run = 0
    for answer in asked:
        run = {GOOD: 0, BAD: run + 1, UNKNOWN: run}[answer]
        worst = max(worst, run)
    at = conclude(after(*asked, rule=rule), rule, ROLLOUT, now=1_001 + 60 * len(asked))
    assert (at.verdict is Verdict.ABORT) == (worst >= failures)
    if at.verdict is Verdict.PROMOTE:
        assert asked[-1] is GOOD
    elif at.verdict is Verdict.HOLD:
        assert not asked or asked[-1] is not GOOD


@given(answers | st.none(), st.integers(900, 1_200), st.integers(900, 1_500))
def test_only_a_good_answer_that_is_fresh_and_of_this_stage_lets_go_on(
    answer: Answer | None, asked_at: int, now: int
) -> None:
    state = None if answer is None else answered(None, RULE, ROLLOUT, answer, asked_at)
    at = conclude(state, RULE, ROLLOUT, now)
    fresh = asked_at <= now <= asked_at + 180
    assert (at.verdict is Verdict.PROMOTE) == (answer is GOOD and asked_at > 1_000 and fresh)
    assert is_due(state, RULE, now) == (answer is None or not asked_at <= now < asked_at + 60)


def test_each_verdict_says_why() -> None:
    def reason(state: CheckState | None, now: int = 1_002) -> str:
        return conclude(state, RULE, ROLLOUT, now).reason

    assert reason(None) == "it has not been asked yet"
    assert reason(after(GOOD)) == "it is good"
    assert reason(after(GOOD), now=2_000) == "its last answer is too old"
    assert reason(answered(None, RULE, ROLLOUT, GOOD, 1_000)) == "it has not been asked since the stage began"
    assert reason(after(BAD)) == "it is bad (1 of 3 until it aborts)"
    assert reason(after(BAD, UNKNOWN)) == "it is unknown"
    assert reason(after(BAD, BAD, UNKNOWN, BAD)) == "it is bad, 3 times without a good answer between"


def test_a_webhook_aborts_at_once() -> None:
    rule = msgspec.convert(WEBHOOK, CheckRule)
    state = after(GOOD, BAD, rule=rule)
    assert conclude(state, rule, ROLLOUT, 1_062).verdict is Verdict.ABORT
    assert not is_due(state, rule, 9_999)


def test_what_another_rollout_or_another_rule_was_told_counts_for_nothing() -> None:
    state = after(BAD, BAD, BAD)
    assert known(state, RULE, ROLLOUT) == state
    paused_later = msgspec.structs.replace(ROLLOUT, stage_index=2, stage_since=2_000)
    assert known(state, RULE, paused_later) == state
    assert known(state, RULE, msgspec.structs.replace(ROLLOUT, begun=8)) is None
    assert known(state, msgspec.structs.replace(RULE, most=0.5), ROLLOUT) is None
    assert decode_document(encode_document(state), CheckState) == state


def test_nothing_is_checked_in_staging() -> None:
    assert is_checked(ROLLOUT)
    assert not is_checked(msgspec.structs.replace(ROLLOUT, stage_index=0))


def test_a_first_rollout_has_no_stable_build_to_ask_about() -> None:
    source = MetricSource("http://p/", 'a{v="{stable}"} / a{v="{candidate}"}', least=None, most=1)
    about = About(Product("sdk"), STABLE, Version("1.1.0"), None, "5%", 5.0, 1_000)
    assert source.query_about(about) == 'a{v=""} / a{v="1.1.0"}'
