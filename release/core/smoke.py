"""Smoke tests: what a plan wants to see pass before a candidate leaves staging, and what came out of them."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from bundles.core.digest import Digest
from bundles.core.errors import Invalid
from bundles.core.manifest import Artifact, Manifest
from bundles.core.names import ArtifactPath, parse_artifact_path
from bundles.core.version import Version
from release.core.service_url import check_service_url

MAX_TESTS = 16
MAX_WORDS = 100
MAX_TEXT = 4_000
MAX_TIMEOUT_SECONDS = 3_600
DEFAULT_TIMEOUT_SECONDS = 60
MAX_OUTPUT = 16 * 1024
"""The most characters that are kept of a test's output: its beginning and, longer, its end."""

MAX_FINDING = 300

_HEAD = MAX_OUTPUT // 4
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_IDENTIFIER = r"[A-Za-z_$][A-Za-z0-9_$]{0,63}"
_GLOBAL = re.compile(rf"{_IDENTIFIER}(\.{_IDENTIFIER}){{0,7}}")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")


class SmokeTest(msgspec.Struct, frozen=True, kw_only=True):
    """What all kinds have: a name that is the plan's own, and the seconds after which the test has failed."""

    name: str
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise Invalid(f"{self.name!r} is not a smoke test's name: use up to 40 of a-z, 0-9 and '-'")
        if not 1 <= self.timeout_seconds <= MAX_TIMEOUT_SECONDS:
            raise Invalid(f"a smoke test may take 1 to {MAX_TIMEOUT_SECONDS} seconds, not {self.timeout_seconds}")


class CommandTest(SmokeTest, frozen=True, kw_only=True, tag="command"):
    """A program and its arguments; no shell reads them. It passes with exit code 0."""

    argv: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.argv or not self.argv[0] or len(self.argv) > MAX_WORDS:
            raise Invalid(f"a smoke test's command has 1 to {MAX_WORDS} words, of which the first is a program")
        if any("\0" in word for word in self.argv) or sum(map(len, self.argv)) > MAX_TEXT:
            raise Invalid(f"a smoke test's command has at most {MAX_TEXT} characters, and no NUL")

    def __str__(self) -> str:
        return f"the command {shlex.join(self.argv)}"


class WebhookTest(SmokeTest, frozen=True, kw_only=True, tag="webhook"):
    """A service that is asked by POST. It passes where that answers `{"passed": true}` with a status of 2xx."""

    url: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_service_url(self.url, "a smoke test's webhook")

    def __str__(self) -> str:
        """Without path and query, which may be private to the service."""
        return f"the webhook at {urlsplit(self.url).hostname}"


class BrowserTest(SmokeTest, frozen=True, kw_only=True, tag="browser"):
    """A page in headless Chromium that loads a script of the build. It passes where nothing goes wrong in it and
    the global is there. Without `entry` the script is the only one at the build's top.
    """

    global_name: str
    entry: ArtifactPath | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _GLOBAL.fullmatch(self.global_name):
            raise Invalid(f"{self.global_name!r} is not a global's name in JavaScript, as in posthog or Acme.init")
        if self.entry is not None:
            parse_artifact_path(self.entry)

    def __str__(self) -> str:
        return f"a page that loads {self.entry or 'the script'} for its global {self.global_name}"

    def entry_of(self, manifest: Manifest) -> Artifact:
        """The script to load. Raises `Invalid` where the build has none, or several to choose from."""
        scripts = [each for each in manifest.artifacts if each.content_type.startswith("text/javascript")]
        if self.entry is None:
            wanted = [each for each in scripts if "/" not in each.path]
            fault = f"{len(wanted)} scripts at its top: name one, as in {self.global_name},sdk.js"
        else:
            wanted = [each for each in scripts if each.path == self.entry]
            fault = f"no script {self.entry!r}"
        if len(wanted) != 1:
            raise Invalid(f"smoke test {self.name!r}: {manifest.product}@{manifest.version} has {fault}")
        return wanted[0]


AnySmokeTest = CommandTest | WebhookTest | BrowserTest


class SmokeOutcome(msgspec.Struct, frozen=True):
    """What came of a test, once, and of which bytes: `digest` is that of the candidate's manifest.

    `rollout` is the identity of the rollout that it was run for; `started_at` is in seconds since the epoch.
    `finding` is one line that says why it passed or failed.
    """

    test: str
    candidate: Version
    rollout: str
    digest: Digest
    passed: bool
    started_at: int
    seconds: float
    actor: str
    finding: str
    output: str


class SmokeClaim(msgspec.Struct, frozen=True):
    """Who runs a test at present, for which candidate of which rollout, and when they must have ended."""

    candidate: Version
    rollout: str
    holder: str
    until: int

    def is_for(self, candidate: Version, rollout: str) -> bool:
        """True where it is for this candidate of this rollout: what another one left behind holds nobody up."""
        return (self.candidate, self.rollout) == (candidate, rollout)


def parse_smoke_tests(
    browsers: Iterable[str], commands: Iterable[str], webhooks: Iterable[str], timeout_seconds: int
) -> tuple[AnySmokeTest, ...]:
    """Tests from their texts: `GLOBAL[,ENTRY]`, a command line, or a URL. They are named by their kind."""
    tests: list[AnySmokeTest] = []
    for name, text in _named("browser", browsers):
        global_name, comma, entry = text.partition(",")
        path = parse_artifact_path(entry) if comma else None
        tests.append(BrowserTest(name=name, timeout_seconds=timeout_seconds, global_name=global_name, entry=path))
    for name, text in _named("command", commands):
        tests.append(CommandTest(name=name, timeout_seconds=timeout_seconds, argv=_split(text)))
    for name, text in _named("webhook", webhooks):
        tests.append(WebhookTest(name=name, timeout_seconds=timeout_seconds, url=text))
    return tuple(tests)


def check_tests(tests: Sequence[SmokeTest]) -> None:
    """Raises `Invalid` for too many tests, or two of one name."""
    if len(tests) > MAX_TESTS:
        raise Invalid(f"a plan has at most {MAX_TESTS} smoke tests, not {len(tests)}")
    if len({test.name for test in tests}) != len(tests):
        raise Invalid("a plan's smoke tests each have a name of their own")


def check_entries(tests: Iterable[AnySmokeTest], manifest: Manifest) -> None:
    """Raises `Invalid` for a browser test whose script the build does not have."""
    for test in tests:
        if isinstance(test, BrowserTest):
            test.entry_of(manifest)


def latest_outcomes(outcomes: Iterable[SmokeOutcome], rollout: str) -> Mapping[str, SmokeOutcome]:
    """Of one rollout's outcomes, oldest first, the last one of each test."""
    return {outcome.test: outcome for outcome in outcomes if outcome.rollout == rollout}


def why_unproven(
    tests: Iterable[SmokeTest], latest: Mapping[str, SmokeOutcome], digest: Digest | None
) -> str | None:
    """What keeps the candidate in staging: tests that have not run, failed, or passed for other bytes.

    Without a digest, only whether they have passed.
    """
    faults = [f"{test.name} {fault}" for test in tests if (fault := _fault(latest.get(test.name), digest))]
    return "; ".join(faults) or None


def _fault(outcome: SmokeOutcome | None, digest: Digest | None) -> str | None:
    if outcome is None:
        return "has not run"
    if not outcome.passed:
        return f"failed ({outcome.finding})"
    return "passed for other bytes" if digest is not None and outcome.digest != digest else None


def clean_finding(text: str) -> str:
    """The text on one line of bounded length."""
    line = " ".join(clean_output(text).split())
    return line if len(line) <= MAX_FINDING else line[: MAX_FINDING - 1] + "…"


def clean_output(text: str) -> str:
    """The text without terminal sequences and control characters, and no longer than `MAX_OUTPUT`."""
    plain = _ESCAPE.sub("", text).replace("\r\n", "\n")
    cleaned = "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in plain)
    if len(cleaned) <= MAX_OUTPUT:
        return cleaned
    gap = f"\n[… {len(cleaned) - MAX_OUTPUT} characters left out …]\n"
    return cleaned[:_HEAD] + gap + cleaned[_HEAD + len(gap) - MAX_OUTPUT :]


def _named(kind: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for place, text in enumerate(texts, 1):
        yield kind if place == 1 else f"{kind}-{place}", text


def _split(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise Invalid(f"the smoke test's command {text!r} can't be read: {error}") from None
