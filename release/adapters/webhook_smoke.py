"""Smoke tests that are a service's answer."""

from collections.abc import Callable

import msgspec

from bundles.core.names import ArtifactPath, Product
from bundles.core.urls import exact_url
from bundles.core.version import Version
from release.adapters.service_post import Reply, post_signed
from release.core.names import Channel
from release.core.smoke import WebhookTest
from release.ports import Candidate, Clock, SmokeResult, Unanswered

MAX_FILES = 1_000


class FileSent(msgspec.Struct, frozen=True):
    """A file of the build: its URL's path at the origin, and its SRI value."""

    path: ArtifactPath
    url: str
    integrity: str


class Request(msgspec.Struct, frozen=True):
    """What the service is asked. Of a very large build the first files are named."""

    product: Product
    version: Version
    channel: Channel
    digest: str
    files: tuple[FileSent, ...]
    files_in_all: int


class Answer(msgspec.Struct, frozen=True):
    """What it is to answer; all other fields are kept as output and mean nothing."""

    passed: bool


class WebhookSmoke:
    """Asks by one signed POST.

    `secret` is asked for at each test, and raises `Failed` where there is none.
    """

    def __init__(self, secret: Callable[[], bytes], clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    async def run(self, test: WebhookTest, candidate: Candidate) -> SmokeResult:
        """Passed where the service says so within the test's time."""
        body = msgspec.json.encode(_request(candidate))
        try:
            reply = await post_signed(test.url, body, self._secret(), self._clock.now(), test.timeout_seconds)
        except Unanswered as error:
            return SmokeResult(False, f"{test} {error}")
        return SmokeResult(*_judge(test, reply), reply.body.decode("utf-8", "replace"))


def _request(candidate: Candidate) -> Request:
    manifest = candidate.manifest
    return Request(
        product=manifest.product,
        version=manifest.version,
        channel=candidate.channel,
        digest=candidate.digest,
        files=tuple(
            FileSent(each.path, exact_url(manifest.product, manifest.version, each.path), each.integrity)
            for each in manifest.artifacts[:MAX_FILES]
        ),
        files_in_all=len(manifest.artifacts),
    )


def _judge(test: WebhookTest, reply: Reply) -> tuple[bool, str]:
    if reply.fault is not None:
        return False, f"{test} {reply.fault}"
    answer = reply.decode(Answer)
    if answer is None:
        return False, f'{test} answered {reply.status} without a JSON object that has "passed": true or false'
    return answer.passed, f"{test} says that the build {'passed' if answer.passed else 'failed'}"
