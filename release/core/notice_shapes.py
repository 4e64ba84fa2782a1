"""Notices as each kind of receiver takes them."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

import msgspec

from release.core.notices import Notice, Severity, one_line

_SLACK_MOST = 580  # a text object takes 3,000 characters, and each may be escaped by five
_PAGERDUTY_MOST = 1_000  # a summary takes 1,024
_SUBJECT_MOST = 200
_MARKS = {
    Severity.INFO: ":information_source:",
    Severity.WARNING: ":warning:",
    Severity.CRITICAL: ":rotating_light:",
}


def webhook_body(notice: Notice) -> bytes:
    """The notice itself as JSON; `at` is RFC 3339 in UTC."""
    return msgspec.json.encode({**msgspec.structs.asdict(notice), "at": _time(notice)})


def slack_body(notice: Notice) -> bytes:
    """An incoming webhook's message: `text` for notifications, `blocks` for what is shown."""
    summary = _escape(one_line(notice.summary, _SLACK_MOST))
    facts = f"{notice.kind} · revision {notice.revision} · {_time(notice)} · {notice.id}"
    # Verbatim: what somebody wrote as a reason makes no links and mentions nobody.
    blocks = [
        {"type": "section", "text": _mrkdwn(f"{_MARKS[notice.severity]} {summary}")},
        {"type": "context", "elements": [_mrkdwn(facts)]},
    ]
    return msgspec.json.encode({"text": summary, "blocks": blocks})


def pagerduty_body(notice: Notice, routing_key: str) -> bytes:
    """An event of the Events API v2. What ends an affair resolves its incident; all else triggers one, or adds
    to it.
    """
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if notice.ends else "trigger",
        "dedup_key": f"headrace/{notice.about}",
        "payload": {
            "summary": one_line(notice.summary, _PAGERDUTY_MOST),
            "source": "headrace",
            "severity": notice.severity,
            "timestamp": _time(notice),
            "component": notice.product or "headrace",
            "group": notice.channel or "",
            "class": notice.kind,
            "custom_details": _facts(notice),
        },
    }
    return msgspec.json.encode(event)


def email_message(notice: Notice, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """A message by nobody, which no auto-responder answers. A repetition has the same Message-ID."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(to)
    # Python reads encoded words in what is set, and a line break in one would begin another header.
    summary = notice.summary.replace("=?", "= ?")
    message["Subject"] = one_line(f"[Headrace] {notice.severity}: {summary}", _SUBJECT_MOST)
    message["Date"] = format_datetime(datetime.fromtimestamp(notice.at, UTC))
    message["Message-ID"] = f"<headrace-{notice.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    facts = "".join(f"{name}: {value}\n" for name, value in _facts(notice).items())
    message.set_content(f"{notice.summary}\n\n{facts}")
    return message


def _facts(notice: Notice) -> dict[str, str]:
    """What a person reads beside the summary."""
    facts = {
        "what": notice.kind,
        "severity": notice.severity,
        "product": notice.product,
        "channel": notice.channel,
        "build": notice.build,
        "stage": notice.stage,
        "who": notice.actor or None,
        "why": notice.reason or None,
        "revision": str(notice.revision),
        "at": _time(notice),
        "event": notice.id,
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _escape(text: str) -> str:
    """As Slack wants it (docs.slack.dev, "Formatting message text")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(notice: Notice) -> str:
    return datetime.fromtimestamp(notice.at, UTC).isoformat()
