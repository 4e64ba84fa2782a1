"""The vendor's policy, as its TOML has it (docs/rollouts.md)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

Rule = Mapping[str, Any]
Policy = Mapping[str, list[Rule]]

_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def rules_for(policy: Policy, kind: str, product: str, channel: str | None = None) -> list[Rule]:
    """The rules of a kind that are for this product and, where one is named, this channel of it."""
    return [rule for rule in policy.get(kind, []) if _matches(rule, "products", product)
            and (channel is None or _matches(rule, "channels", channel))]  # fmt: skip


def is_frozen(policy: Policy, product: str, channel: str, now: int) -> bool:
    """True where a freeze holds the channel."""
    return any(_holds(rule, now) for rule in rules_for(policy, "freeze", product, channel))


def _matches(rule: Rule, key: str, name: str) -> bool:
    patterns: Iterable[str] = rule.get(key, ["*"])
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _holds(rule: Rule, now: int) -> bool:
    zone = ZoneInfo(rule.get("zone", "UTC"))
    local = datetime.fromtimestamp(now, zone)
    minute = _minute(_DAYS[local.weekday()], f"{local.hour}:{local.minute}")
    for text in rule.get("weekly", ()):
        starts, ends = (_minute(*moment.split(" ")) for moment in text.split("-"))
        inside = starts <= minute < ends if starts < ends else minute >= starts or minute < ends
        if inside:
            return True
    return any(
        _time(period["from"], zone) <= local < _time(period["until"], zone) for period in rule.get("periods", ())
    )


def _minute(day: str, clock: str) -> int:
    """Of the week."""
    hours, minutes = clock.split(":")
    return (_DAYS.index(day) * 24 + int(hours)) * 60 + int(minutes)


def _time(text: str, zone: ZoneInfo) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)
