"""What is told of changes: each by the audit row that it left, and in each receiver's shape."""

import email
import email.policy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.version import Range, Version
from release.blocks import clear_block, set_block
from release.change import Author, Control
from release.core.audit import CONTROLLER, GLASS_BROKEN, Entry, open_row
from release.core.codec import encode_document
from release.core.commands import Abort, Approve, Begin, Command, Pause, Promote, Resume, Rollback, Schedule, Start
from release.core.names import PRODUCTION, STABLE, Tenant
from release.core.notice_shapes import email_message, pagerduty_body, slack_body, webhook_body
from release.core.notices import Notice, NoticeKind, Severity, notice_of
from release.core.plan import parse_plan
from release.core.policy import Policy
from release.core.receivers import PagerdutyOptions, WebhookOptions
from release.core.routing import ChannelState, Pin, PinKey, Rollout
from release.core.smoke import SmokeOutcome
from release.pins import set_pin
from release.policies import apply_policy
from release.rollouts import command_channel
from tests.release.conftest import at
from tests.support.smoke import ONE, SDK

pytestmark = pytest.mark.anyio

TWO = Version("1.1.0")
SAM, CONTROL = Author("sam"), Author(CONTROLLER)
PLAN = parse_plan("staging,100", [], None)


async def give(control: Control, *commands: Command, author: Author = SAM) -> None:
    for command in commands:
        await command_channel(control, SDK, STABLE, command, author)


async def told(control: Control) -> list[Notice]:
    async with control.ledger.reading() as reading:
        notices = [notice_of(open_row(row), row.hash) async for row in reading.trail()]
    return [notice for notice in notices if notice is not None]


def brief(notices: list[Notice]) -> list[tuple[str, str, str | None, str | None]]:
    return [(each.kind, each.severity, each.build, each.stage) for each in notices]


async def test_each_step_of_a_rollout_is_told_with_its_build_and_stage(control: Control) -> None:
    walk = (Start(ONE, PLAN, "salt"), Approve(ONE), Pause(), Resume(), Promote())
    await give(control, walk[0])
    await give(control, walk[1], author=Author("kim"))
    await give(control, *walk[2:], Promote(), author=Author("sam", "all is well"))
    notices = await told(control)
    assert brief(notices) == [
        ("rollout-started", "info", ONE, "staging"),
        ("rollout-approved", "info", ONE, "staging"),
        ("rollout-paused", "warning", ONE, "staging"),
        ("rollout-resumed", "info", ONE, "staging"),
        ("rollout-promoted", "info", ONE, "100%"),
        ("rollout-done", "info", ONE, None),
    ]
    assert notices[4].summary == "the rollout of sdk@1.0.0 on stable is at 100% now, by sam: all is well"
    assert (
        notices[5].summary
        == "the rollout of sdk@1.0.0 on stable is done: it is the stable build, by sam: all is well"
    )
    assert {(each.product, each.channel, each.about) for each in notices} == {
        ("sdk", "stable", "channel/sdk/stable")
    }
    assert [each.ends for each in notices] == [False] * 5 + [True]
    assert [each.id.partition("-")[0] for each in notices] == ["1", "2", "3", "4", "5", "6"]


async def test_what_is_taken_back_is_a_warning_and_critical_where_the_controller_does_it(control: Control) -> None:
    done = (Start(ONE, PLAN, "salt"), Promote(), Promote())
    await give(control, *done, Start(TWO, PLAN, "salt"), Promote(), Abort())
    await give(control, Start(TWO, PLAN, "salt"), Abort(), author=CONTROL)
    await give(control, Start(TWO, PLAN, "salt"), Promote(), Promote(), Rollback())
    assert brief(await told(control))[5:] == [
        ("rollout-aborted", "warning", TWO, "100%"),
        ("rollout-started", "info", TWO, "staging"),
        ("rollout-taken-back", "critical", TWO, "staging"),
        ("rollout-started", "info", TWO, "staging"),
        ("rollout-promoted", "info", TWO, "100%"),
        ("rollout-done", "info", TWO, None),
        ("rolled-back", "warning", ONE, None),
    ]
    await give(control, Start(TWO, PLAN, "salt"), Rollback(), author=CONTROL)
    assert brief(await told(control))[-1] == ("rolled-back", "critical", ONE, None)
    assert (await told(control))[-1].summary == "sdk on stable was rolled back to 1.0.0, by controller"


async def test_what_is_scheduled_begins_or_is_taken_away(control: Control) -> None:
    later = Schedule(Start(ONE, PLAN, "salt"), 2_000)
    await give(at(control, 1_000), later, Abort(), later)
    async with control.ledger.transaction() as transaction:
        state = await transaction.channel(SDK, STABLE)
    assert state is not None
    assert state.scheduled is not None
    await give(at(control, 3_000), Begin(state.scheduled), author=CONTROL)
    assert brief(await told(control)) == [
        ("rollout-scheduled", "info", ONE, None),
        ("rollout-aborted", "warning", ONE, None),
        ("rollout-scheduled", "info", ONE, None),
        ("rollout-started", "info", ONE, "staging"),
    ]
    assert (await told(control))[
        1
    ].summary == "the rollout of sdk@1.0.0 on stable was aborted before it began, by sam"


def test_a_promotion_of_which_no_state_was_kept_ends_nothing() -> None:
    bare = notice_of(msgspec.structs.replace(entry(), before=None, after=None), "ab" * 32)
    assert bare is not None
    assert (bare.kind, bare.ends) == ("rollout-promoted", False)


async def test_a_rollout_that_takes_the_place_of_another_says_so(control: Control) -> None:
    await give(control, Start(ONE, PLAN, "salt"), Start(TWO, PLAN, "salt", supersede=True))
    assert (await told(control))[1].summary == (
        "the rollout of sdk@1.1.0 on stable began at staging, in the place of 1.0.0, by sam"
    )


async def test_blocks_and_policies_are_told_and_pins_are_not(control: Control) -> None:
    await set_block(control, SDK, ONE, Author("sam", "throws"))
    await clear_block(control, SDK, ONE, SAM)
    await set_pin(control, SDK, PinKey(Tenant("acme"), PRODUCTION), Pin(Range("1.1.0"), "sam", ""), SAM)
    await apply_policy(control, Policy(), SAM)
    blocked, cleared, policy = await told(control)
    assert (blocked.kind, blocked.severity, blocked.build, blocked.channel) == (
        "build-blocked",
        "warning",
        ONE,
        None,
    )
    assert blocked.summary == "sdk@1.0.0 was blocked, by sam: throws"
    assert (cleared.about, cleared.ends) == (blocked.about, True)
    assert (policy.kind, policy.product, policy.severity) == ("policy-applied", None, "info")


async def test_a_broken_glass_is_at_least_a_warning_and_ends_nothing(control: Control) -> None:
    glass = Author("sam", "it burns", breaks_glass=True)
    await give(control, Start(ONE, PLAN, "salt"), Promote(), Promote(), author=glass)
    notices = await told(control)
    assert {each.severity for each in notices} == {Severity.WARNING}
    assert not any(each.ends for each in notices)
    assert len({each.about for each in notices}) == 3


def entry(verb: str = "promote", *, actor: str = "sam", reason: str = "", **documents: Any) -> Entry:
    after = {place.replace("__", "/"): json.loads(encode_document(value)) for place, value in documents.items()}
    return Entry(
        at=1_700_000_000, actor=actor, verb=verb, product="sdk", subject="stable", reason=reason,
        revision=7, previous="0" * 64, before={}, after=after,
    )  # fmt: skip


def outcome(*, passed: bool) -> SmokeOutcome:
    return SmokeOutcome("browser", ONE, "salt", "0" * 64, passed, 1, 1.0, "sam", "no global", "")  # type: ignore[arg-type]


def test_of_smoke_tests_those_that_fail_are_told() -> None:
    reason = "browser failed: no global"
    failed = notice_of(
        entry("smoke", reason=reason, smoke_outcomes__sdk__stable__7=outcome(passed=False)), "ab" * 32
    )
    assert failed is not None
    assert (failed.kind, failed.severity, failed.build) == ("smoke-test-failed", "warning", ONE)
    assert failed.summary == f"a smoke test of sdk@1.0.0 on stable failed, by sam: {reason}"
    assert notice_of(entry("smoke", smoke_outcomes__sdk__stable__7=outcome(passed=True)), "ab" * 32) is None


def notice(**changes: Any) -> Notice:
    state = ChannelState(rollout=Rollout(ONE, PLAN, "salt", 0, 0))
    made = notice_of(entry(channels__sdk__stable=state, **changes), "ab" * 32)
    assert made is not None
    return made


def test_a_receiver_hears_of_its_products_and_channels_and_of_what_is_severe_enough() -> None:
    def hook(**options: Any) -> WebhookOptions:
        return WebhookOptions(name="x", url="https://a.example/", secret="s" * 16, **options)

    assert hook().wants(notice())
    assert hook(products=("s*",), channels=("stable",)).wants(notice())
    assert not hook(products=("other",)).wants(notice())
    assert not hook(channels=("next",)).wants(notice())
    assert not hook(severity=Severity.WARNING).wants(notice())
    assert hook(severity=Severity.WARNING).wants(notice(verb="pause"))
    block = notice_of(entry("block-set"), "ab" * 32)
    assert block is not None
    assert hook(channels=("next",)).wants(block)
    assert not hook(products=("other",)).wants(block)


def test_pagerduty_hears_of_what_is_critical_and_of_what_ends_it() -> None:
    options = PagerdutyOptions(name="x", routing_key="R0")
    done = notice_of(entry(channels__sdk__stable=ChannelState(history=(ONE,))), "ab" * 32)
    assert done is not None
    assert done.kind is NoticeKind.DONE
    taken_back = notice(verb="abort", actor=CONTROLLER)
    assert [options.wants(each) for each in (taken_back, notice(verb="pause"), done)] == [True, False, True]
    assert not PagerdutyOptions(name="x", routing_key="R0", channels=("next",)).wants(done)
    trigger, resolve = (json.loads(pagerduty_body(each, "R0")) for each in (taken_back, done))
    assert [trigger["event_action"], resolve["event_action"]] == ["trigger", "resolve"]
    assert trigger["dedup_key"] == resolve["dedup_key"] == "headrace/channel/sdk/stable"
    assert trigger["routing_key"] == "R0"
    payload = trigger["payload"]
    assert (payload["severity"], payload["source"], payload["component"]) == ("critical", "headrace", "sdk")
    assert payload["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert payload["custom_details"]["build"] == "1.0.0"


def test_slack_makes_no_links_and_mentions_of_what_somebody_wrote() -> None:
    body = json.loads(slack_body(notice(reason="<!channel> <https://evil.example|x> & co")))
    shown = body["blocks"][0]["text"]
    assert "&lt;!channel&gt; &lt;https://evil.example|x&gt; &amp; co" in shown["text"]
    assert shown["verbatim"] is True
    assert "<" not in json.dumps(body)


VERBS = "start schedule begin promote approve pause resume abort rollback smoke block-set block-clear policy-apply"
ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    [
        "a\r\nBcc: all@example.com",
        "\udcff",
        "&" * 500,
        "x" * 5_000,
        "\x1b[31m",
        "=?utf-8?q?=0ABcc:_x?=",
        "=??Q?=0A",
        GLASS_BROKEN,
    ]
)


@given(st.sampled_from(VERBS.split()), ANY_TEXT, ANY_TEXT, st.booleans())
def test_whatever_an_entry_says_each_shape_holds(verb: str, actor: str, reason: str, live: bool) -> None:
    documents = {"channels__sdk__stable": ChannelState(rollout=Rollout(ONE, PLAN, "salt", 0, 0))} if live else {}
    made = notice_of(entry(verb, actor=actor, reason=reason, **documents), "ab" * 32)
    if made is None:
        assert verb == "smoke"
        return
    assert made.summary.isprintable()
    assert json.loads(webhook_body(made))["summary"] == made.summary
    slack = json.loads(slack_body(made))
    assert all(len(each["text"]["text"]) <= 3_000 for each in slack["blocks"][:1])
    assert len(json.loads(pagerduty_body(made, "R0"))["payload"]["summary"]) <= 1_024
    message = email_message(made, "headrace@example.com", ("a@example.com", "b@example.com"))
    read = email.message_from_bytes(bytes(message), policy=email.policy.SMTP)
    expected = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
    assert list(read.keys())[:6] == expected
    assert set(read.keys()) - set(expected) <= {"Content-Type", "Content-Transfer-Encoding", "MIME-Version"}
    assert read["Message-ID"] == f"<headrace-{made.id}@example.com>"
    assert read.get_content().splitlines()[0] == made.summary
