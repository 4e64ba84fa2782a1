"""Notices: what people are told of. Each is of one entry of the audit trail, so that none can be missed."""

from enum import StrEnum

import msgspec

from bundles.core.names import Product
from bundles.core.version import Version
from release.core.audit import CONTROLLER, GLASS_BROKEN, LEAK_REPORT, Documents, Entry, document_at
from release.core.names import Channel
from release.core.routing import ChannelState

MAX_LINE = 800
"""More than the longest reason and what is said before it."""


class Severity(StrEnum):
    """How much it concerns those who are told, the least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    def reaches(self, least: "Severity") -> bool:
        """True where it is this severe or more."""
        order = list(Severity)
        return order.index(self) >= order.index(least)


class NoticeKind(StrEnum):
    """What has happened."""

    STARTED = "rollout-started"
    SCHEDULED = "rollout-scheduled"
    PROMOTED = "rollout-promoted"
    DONE = "rollout-done"
    APPROVED = "rollout-approved"
    PAUSED = "rollout-paused"
    RESUMED = "rollout-resumed"
    ABORTED = "rollout-aborted"
    TAKEN_BACK = "rollout-taken-back"
    ROLLED_BACK = "rolled-back"
    SMOKE_FAILED = "smoke-test-failed"
    BLOCKED = "build-blocked"
    UNBLOCKED = "build-unblocked"
    POLICY_APPLIED = "policy-applied"
    TOKEN_REVOKED = "token-revoked"  # noqa: S105 - no secret
    UNTOLD = "changes-untold"
    TRIAL = "trial"


_OF_NO_PRODUCT = {NoticeKind.POLICY_APPLIED, NoticeKind.TOKEN_REVOKED}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver is told, once or more often: `id` tells a repetition from news.

    `summary` says all of it in one line. `at` is in seconds since the epoch. `product`, `channel`, `build` and
    `stage` are None where it is not about one. `about` names the affair that it belongs to, and `ends` is true
    where that is over with it.
    """

    id: str
    kind: NoticeKind
    severity: Severity
    summary: str
    revision: int
    at: int
    actor: str = ""
    reason: str = ""
    product: Product | None = None
    channel: Channel | None = None
    build: Version | None = None
    stage: str | None = None
    about: str
    ends: bool = False


class _News(msgspec.Struct, frozen=True):
    """What is told of an entry, but for who made it and why. `place` is what it concerns."""

    kind: NoticeKind
    severity: Severity
    words: str
    place: str
    channel: Channel | None = None
    build: Version | None = None
    stage: str | None = None
    ends: bool = False


def notice_of(entry: Entry, entry_hash: str) -> Notice | None:
    """What is told of a change whose row has this hash; None where nobody need be told.

    Where the glass was broken it is at least a warning, and an affair of its own, which nothing else ends.
    """
    news = _news_of(entry)
    if news is None:
        return None
    identity = _identity(entry, entry_hash)
    severity, about, ends = news.severity, news.place, news.ends
    if entry.reason.startswith(GLASS_BROKEN):
        severity = severity if severity.reaches(Severity.WARNING) else Severity.WARNING
        about, ends = f"break-glass/{identity}", False
    why = f": {entry.reason}" if entry.reason else ""
    return Notice(
        id=identity,
        kind=news.kind,
        severity=severity,
        summary=one_line(f"{news.words}, by {entry.actor}{why}"),
        revision=entry.revision,
        at=entry.at,
        actor=one_line(entry.actor),
        reason=one_line(entry.reason),
        product=None if news.kind in _OF_NO_PRODUCT else Product(entry.product),
        channel=news.channel,
        build=news.build,
        stage=news.stage,
        about=about,
        ends=ends,
    )


def untold_notice(count: int, worst: Severity, last: Notice) -> Notice:
    """In the place of more notices than anybody would read: how many they are, up to the last one."""
    return Notice(
        id=f"{last.id}-all",
        kind=NoticeKind.UNTOLD,
        severity=worst,
        summary=f"{count} changes up to revision {last.revision} were not told: see `headrace history`",
        revision=last.revision,
        at=last.at,
        about="untold",
    )


def trial_notice(at: int) -> Notice:
    """What shows that a receiver can be reached."""
    return Notice(
        id=f"trial-{at}",
        kind=NoticeKind.TRIAL,
        severity=Severity.INFO,
        summary="this is a test of Headrace's notifications: nothing has happened",
        revision=0,
        at=at,
        about="trial",
    )


def one_line(text: str, most: int = MAX_LINE) -> str:
    """The text without line breaks and control characters, and no longer than this."""
    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    return line if len(line) <= most else line[: most - 1] + "…"


def _identity(entry: Entry, entry_hash: str) -> str:
    """By the hash too: a database that was restored has other changes at the revisions it lost."""
    return f"{entry.revision}-{entry_hash[:16]}"


def _news_of(entry: Entry) -> _News | None:
    build = f"{entry.product}@{entry.subject}"
    match entry.verb:
        case "block-set":
            return _of_build(entry, NoticeKind.BLOCKED, Severity.WARNING, f"{build} was blocked")
        case "block-clear":
            return _of_build(entry, NoticeKind.UNBLOCKED, Severity.INFO, f"{build} is blocked no longer")
        case "policy-apply":
            return _News(NoticeKind.POLICY_APPLIED, Severity.INFO, "a policy was put in force", "policy")
        case "smoke":
            return _of_smoke_test(entry)
        case "token-revoke":
            return _of_token(entry)
        case _:
            return _of_channel(entry)


def _of_build(entry: Entry, kind: NoticeKind, severity: Severity, words: str) -> _News:
    ends = kind is NoticeKind.UNBLOCKED
    place = f"block/{entry.product}/{entry.subject}"
    return _News(kind, severity, words, place, build=Version(entry.subject), ends=ends)


def _of_token(entry: Entry) -> _News:
    """A token that was found where others can read it may have been used: who is on call looks at what it did."""
    severity = Severity.CRITICAL if entry.actor == LEAK_REPORT else Severity.WARNING
    name, _, token_id = entry.subject.rpartition("/")
    return _News(NoticeKind.TOKEN_REVOKED, severity, f"the token {name} was revoked", f"token/{token_id}")


def _of_smoke_test(entry: Entry) -> _News | None:
    """Of one that failed. What passed is seen by the promotion."""
    outcome = (entry.after or {}).get(f"smoke_outcomes/{entry.product}/{entry.subject}/{entry.revision}")
    if not isinstance(outcome, dict) or outcome.get("passed") is not False:
        return None
    candidate = str(outcome.get("candidate"))
    words = f"a smoke test of {entry.product}@{candidate} on {entry.subject} failed"
    return _on_channel(entry, NoticeKind.SMOKE_FAILED, Severity.WARNING, words, candidate, None)


def _of_channel(entry: Entry) -> _News | None:
    """Of the state machine's commands."""
    before, after = _state(entry, entry.before), _state(entry, entry.after)
    if entry.verb == "schedule":
        candidate = None if after.scheduled is None else after.scheduled.candidate
        words = f"a rollout of {_named(entry, candidate)} is scheduled"
        return _on_channel(entry, NoticeKind.SCHEDULED, Severity.INFO, words, candidate, None)
    if entry.verb == "rollback":
        severity = Severity.CRITICAL if entry.actor == CONTROLLER else Severity.WARNING
        words = f"{entry.product} on {entry.subject} was rolled back to {after.stable or 'no build'}"
        return _on_channel(entry, NoticeKind.ROLLED_BACK, severity, words, after.stable, None)
    return _of_rollout(entry, before, after)


def _of_rollout(entry: Entry, before: ChannelState, after: ChannelState) -> _News | None:
    rollout = after.rollout or before.rollout or before.scheduled
    candidate = None if rollout is None else rollout.candidate
    live = after.rollout or before.rollout
    where = f"at {live.stage}" if live is not None else "before it began" if rollout is not None else "somewhere"
    is_done = entry.verb == "promote" and after.rollout is None and after.stable is not None
    found = _ROLLOUT_NEWS.get("done" if is_done else entry.verb)
    if entry.verb == "abort" and entry.actor == CONTROLLER:
        found = _ROLLOUT_NEWS["take-back"]
    if found is None:
        return None
    kind, severity, what = found
    words = f"the rollout of {_named(entry, candidate)} {what.format(where=where)}"
    replaced = before.rollout or before.scheduled
    if entry.verb == "start" and replaced is not None:
        words += f", in the place of {replaced.candidate}"
    return _on_channel(
        entry, kind, severity, words, candidate, None if live is None or is_done else str(live.stage)
    )


_ROLLOUT_NEWS = {
    "start": (NoticeKind.STARTED, Severity.INFO, "began {where}"),
    "begin": (NoticeKind.STARTED, Severity.INFO, "began {where}, as scheduled"),
    "promote": (NoticeKind.PROMOTED, Severity.INFO, "is {where} now"),
    "done": (NoticeKind.DONE, Severity.INFO, "is done: it is the stable build"),
    "approve": (NoticeKind.APPROVED, Severity.INFO, "was approved {where}"),
    "pause": (NoticeKind.PAUSED, Severity.WARNING, "was paused {where}"),
    "resume": (NoticeKind.RESUMED, Severity.INFO, "goes on {where}"),
    "abort": (NoticeKind.ABORTED, Severity.WARNING, "was aborted {where}"),
    "take-back": (NoticeKind.TAKEN_BACK, Severity.CRITICAL, "was taken back {where}"),
}


def _on_channel(
    entry: Entry, kind: NoticeKind, severity: Severity, words: str, build: str | None, stage: str | None
) -> _News:
    return _News(
        kind,
        severity,
        words,
        place=f"channel/{entry.product}/{entry.subject}",
        channel=Channel(entry.subject),
        build=None if build is None else Version(build),
        stage=stage,
        ends=kind is NoticeKind.DONE,
    )


def _named(entry: Entry, candidate: Version | None) -> str:
    return f"{entry.product}{'' if candidate is None else f'@{candidate}'} on {entry.subject}"


def _state(entry: Entry, documents: Documents | None) -> ChannelState:
    """The channel as the entry has it. What can't be read is left out: that it was changed is told anyway."""
    try:
        return document_at(documents, f"channels/{entry.product}/{entry.subject}", ChannelState)
    except (KeyError, msgspec.MsgspecError):
        return ChannelState()
