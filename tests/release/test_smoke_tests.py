"""What a plan's smoke tests are, which outcomes count, and what is kept of an output."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.digest import Digest
from bundles.core.errors import Invalid
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.codec import decode_document, encode_document
from release.core.names import STABLE, Channel
from release.core.plan import Plan, parse_plan
from release.core.routing import ChannelState, ProductRoutes, Rollout, RoutingTable, Scheduled
from release.core.smoke import (
    MAX_FINDING,
    MAX_OUTPUT,
    BrowserTest,
    CommandTest,
    SmokeOutcome,
    WebhookTest,
    clean_finding,
    clean_output,
    latest_outcomes,
    parse_smoke_tests,
    why_unproven,
)
from release.core.snapshot import load
from tests.support.snapshots import in_shards

TESTS = parse_smoke_tests(
    ["posthog,array.js", "Acme.init"], ["check --fast 'a b'"], ["https://ci.example/check?key=1"], 90
)
NEXT = Channel("next")
DIGEST, OTHER = Digest("a" * 64), Digest("b" * 64)


def outcome(test: str, *, passed: bool = True, rollout: str = "salt", digest: Digest = DIGEST) -> SmokeOutcome:
    return SmokeOutcome(
        test=test,
        candidate=Version("1.0.0"),
        rollout=rollout,
        digest=digest,
        passed=passed,
        started_at=1,
        seconds=0.5,
        actor="sam",
        finding="it broke",
        output="",
    )


def test_tests_are_named_by_their_kind_and_read_as_written() -> None:
    assert [test.name for test in TESTS] == ["browser", "browser-2", "command", "webhook"]
    first, second, command, webhook = TESTS
    assert isinstance(first, BrowserTest)
    assert (first.global_name, first.entry) == ("posthog", "array.js")
    assert isinstance(second, BrowserTest)
    assert (second.global_name, second.entry) == ("Acme.init", None)
    assert isinstance(command, CommandTest)
    assert command.argv == ("check", "--fast", "a b")
    assert isinstance(webhook, WebhookTest)
    assert str(webhook) == "the webhook at ci.example"
    assert {test.timeout_seconds for test in TESTS} == {90}


@pytest.mark.parametrize(
    ("browsers", "commands", "webhooks", "seconds", "fault"),
    [
        (["a;b"], [], [], 60, "not a global's name"),
        (["posthog,../up.js"], [], [], 60, "can't be an artifact's path"),
        (["posthog,"], [], [], 60, "it is empty"),
        ([], ["unfinished 'quote"], [], 60, "can't be read"),
        ([], [" "], [], 60, "the first is a program"),
        ([], ["x" * 5000], [], 60, "at most 4000 characters"),
        ([], [], ["ftp://ci.example/"], 60, "http or https"),
        ([], [], ["https://ci.example:port/"], 60, "http or https"),
        ([], [], ["https://sam:pw@ci.example/"], 60, "no user, password"),
        ([], [], ["https://ci.example/a b"], 60, "http or https"),
        ([], [], ["https://[ci"], 60, "http or https"),
        ([], ["true"], [], 0, "1 to 3600 seconds"),
        ([], ["true"], [], 3601, "1 to 3600 seconds"),
        ([], ["true"] * 17, [], 60, "at most 16 smoke tests"),
    ],
)
def test_what_is_no_smoke_test_is_named(
    browsers: list[str], commands: list[str], webhooks: list[str], seconds: int, fault: str
) -> None:
    with pytest.raises(Invalid, match=fault):
        parse_plan("staging,100", [], None, parse_smoke_tests(browsers, commands, webhooks, seconds))


def test_smoke_tests_need_a_staging_stage_and_names_of_their_own() -> None:
    assert parse_plan("staging,100", [], None, TESTS).smoke_tests == TESTS
    with pytest.raises(Invalid, match="no staging stage"):
        parse_plan("canary,100", [], None, TESTS)
    with pytest.raises(Invalid, match="name of their own"):
        parse_plan("staging,100", [], None, (*TESTS, TESTS[0]))


def test_a_plan_keeps_its_smoke_tests_in_the_ledger_and_not_in_the_snapshot() -> None:
    plan = parse_plan("staging,100", [], None, TESTS)
    assert decode_document(encode_document(plan), Plan) == plan
    rollout = Rollout(Version("1.1.0"), plan, "salt", 0, 7)
    scheduled = Scheduled(Version("1.1.0"), plan, "salt", 9, "sam")
    channels = {STABLE: ChannelState(rollout=rollout), NEXT: ChannelState(scheduled=scheduled)}
    root, bodies = in_shards(RoutingTable(3, {Product("sdk"): ProductRoutes(channels)}))
    assert b"ci.example" not in b"".join(bodies.values())
    seen = load(root, bodies, None).table.products[Product("sdk")].channels
    untested = parse_plan("staging,100", [], None)
    assert seen[STABLE].rollout == Rollout(Version("1.1.0"), untested, "salt", 0, 7)
    assert seen[NEXT].scheduled == Scheduled(Version("1.1.0"), untested, "salt", 9, "sam")


def test_only_the_last_outcome_of_this_rollout_and_of_these_bytes_counts() -> None:
    tests = [CommandTest(name="one", argv=("true",)), CommandTest(name="two", argv=("true",))]

    def why(*outcomes: SmokeOutcome, digest: Digest | None = DIGEST) -> str | None:
        return why_unproven(tests, latest_outcomes(outcomes, "salt"), digest)

    assert why() == "one has not run; two has not run"
    assert why(outcome("one"), outcome("two")) is None
    assert why(outcome("one"), outcome("two", rollout="older")) == "two has not run"
    assert why(outcome("one"), outcome("two"), outcome("one", passed=False)) == "one failed (it broke)"
    assert why(outcome("one", passed=False), outcome("one"), outcome("two")) is None
    assert why(outcome("one"), outcome("two", digest=OTHER)) == "two passed for other bytes"
    assert why(outcome("one"), outcome("two", digest=OTHER), digest=None) is None


@given(
    st.text() | st.text(st.sampled_from("\x1b[31mK\x00\r\n\t\u202eé]"), min_size=0).map(lambda text: text * 3_000)
)
def test_what_is_kept_of_an_output_is_bounded_and_does_nothing_to_a_terminal(text: str) -> None:
    cleaned = clean_output(text)
    assert len(cleaned) <= MAX_OUTPUT
    assert all(letter.isprintable() or letter in "\n\t" for letter in cleaned)
    finding = clean_finding(text)
    assert len(finding) <= MAX_FINDING
    assert finding.isprintable()


def test_of_an_output_the_words_stay() -> None:
    assert clean_output("\x1b[1;31mred\x1b[0m\r\nnext\tcolumn \x07é") == "red\nnext\tcolumn \ufffdé"
    long = "begin" + "x" * 50_000 + "end"
    assert clean_output(long).startswith("begin")
    assert clean_output(long).endswith("end")
    assert "characters left out" in clean_output(long)
