"""Checks as the policy has them: whom to ask about a rollout, how often, and what an answer is worth."""

import math
import re
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from bundles.core.errors import Invalid
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.gate import Verdict
from release.core.names import Channel
from release.core.plan import parse_duration
from release.core.promql import check_query, fill
from release.core.scope import Scoped
from release.core.service_url import check_service_url
from release.core.written import Text

MAX_EVERY_SECONDS = 24 * 3600
MAX_TIMEOUT_SECONDS = 60
MAX_FAILURES = 100
DEFAULT_FAILURES = 3

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class Finding(StrEnum):
    """What an answer is worth."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


class Answer(msgspec.Struct, frozen=True):
    """A finding, and in one line why."""

    finding: Finding
    reason: str


class About(msgspec.Struct, frozen=True):
    """What a check is asked about: a live rollout at its stage. `percent` is the stage's share of tenants;
    `stage_since` is in seconds since the epoch. A channel's first rollout has no stable build.
    """

    product: Product
    channel: Channel
    candidate: Version
    stable: Version | None
    stage: str
    percent: float
    stage_since: int


class MetricSource(msgspec.Struct, frozen=True):
    """A query to a server with Prometheus' API, and the bounds on the one value that it comes to."""

    url: str
    query: str
    least: float | None
    most: float | None

    def __str__(self) -> str:
        """Without the path, as a webhook is told of."""
        return f"Prometheus at {urlsplit(self.url).hostname}"

    def query_about(self, about: About) -> str:
        """The query with its placeholders filled in. For no stable build stands the empty string."""
        names = {"product": about.product, "channel": about.channel, "stage": about.stage}
        return fill(self.query, {**names, "candidate": about.candidate, "stable": about.stable or ""})

    def judge(self, value: float) -> Answer:
        """Good within the bounds, both of which are good themselves; bad outside of them."""
        if not math.isfinite(value):
            return Answer(Finding.UNKNOWN, f"{self} says {value}")
        if self.most is not None and value > self.most:
            return Answer(Finding.BAD, f"{value:.6g} is above {self.most:.6g}")
        if self.least is not None and value < self.least:
            return Answer(Finding.BAD, f"{value:.6g} is below {self.least:.6g}")
        return Answer(Finding.GOOD, f"{value:.6g} is within its bounds")


class WebhookSource(msgspec.Struct, frozen=True):
    """A service that answers with a verdict."""

    url: str

    def __str__(self) -> str:
        """Without path and query, which may be private to the service."""
        return f"the webhook at {urlsplit(self.url).hostname}"

    def judge(self, verdict: Verdict, reason: str) -> Answer:
        """Its verdict as an answer."""
        findings = {Verdict.PROMOTE: Finding.GOOD, Verdict.HOLD: Finding.UNKNOWN, Verdict.ABORT: Finding.BAD}
        return Answer(findings[verdict], f"{self} says {verdict}" + (f": {reason}" if reason.strip() else ""))


class CheckRule(Scoped, frozen=True, kw_only=True):
    """A check of the channels that it is for: `prometheus` with `query` and a bound or two, or `webhook`.

    It is asked `every` so often, and an answer is waited for until `timeout`. After `failures` bad answers with
    no good one between them the rollout is aborted. A webhook's first `abort` does so: it says what is to be done.
    """

    name: Text
    prometheus: Text | None = None
    query: Text | None = None
    least: float | None = None
    most: float | None = None
    webhook: Text | None = None
    every: Text = "1m"
    timeout: Text = "10s"
    failures: int | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise Invalid(f"{self.name!r} is not a check's name: use up to 40 of a-z, 0-9 and '-'")
        if (self.prometheus is None) == (self.webhook is None):
            raise Invalid(f"check {self.name!r} asks either prometheus or a webhook: give the URL of one")
        if self.webhook is not None:
            self._check_webhook(self.webhook)
        if self.prometheus is not None:
            self._check_prometheus(self.prometheus)
        if not 1 <= self.every_seconds <= MAX_EVERY_SECONDS:
            raise Invalid(f"check {self.name!r} is asked every 1s to 1d, not {self.every}")
        if not 1 <= self.timeout_seconds <= min(self.every_seconds, MAX_TIMEOUT_SECONDS):
            raise Invalid(
                f"check {self.name!r}: its timeout is 1s to {MAX_TIMEOUT_SECONDS}s and not longer than every"
                f" {self.every}, not {self.timeout}"
            )

    def _check_webhook(self, url: str) -> None:
        check_service_url(url, f"check {self.name!r}: a webhook")
        if any(each is not None for each in (self.query, self.least, self.most, self.failures)):
            raise Invalid(
                f"check {self.name!r}: a webhook says what is to be done: query, least, most and failures are for"
                " prometheus"
            )

    def _check_prometheus(self, url: str) -> None:
        if check_service_url(url, f"check {self.name!r}: prometheus").query:
            raise Invalid(f"check {self.name!r}: prometheus is the server's URL, without a query")
        if self.query is None or (self.least is None and self.most is None):
            raise Invalid(f"check {self.name!r} asks prometheus: give its query, and least, most or both")
        try:
            check_query(self.query)
        except Invalid as error:
            raise Invalid(f"check {self.name!r}: {error}") from None
        bounds = [bound for bound in (self.least, self.most) if bound is not None]
        if not all(map(math.isfinite, bounds)) or bounds != sorted(bounds):
            raise Invalid(f"check {self.name!r}: least and most are finite, and least is not above most")
        if self.failures is not None and not 1 <= self.failures <= MAX_FAILURES:
            raise Invalid(f"check {self.name!r}: failures is 1 to {MAX_FAILURES}, not {self.failures}")

    @property
    def every_seconds(self) -> int:
        """How long it is from one asking to the next."""
        return parse_duration(self.every)

    @property
    def timeout_seconds(self) -> int:
        """How long an answer is waited for."""
        return parse_duration(self.timeout)

    @property
    def limit(self) -> int:
        """After how many bad answers the rollout is aborted."""
        return 1 if self.webhook is not None else self.failures or DEFAULT_FAILURES

    @property
    def source(self) -> MetricSource | WebhookSource:
        """Whom it asks."""
        if self.webhook is not None:
            return WebhookSource(self.webhook)
        return MetricSource(self.prometheus or "", self.query or "", self.least, self.most)
