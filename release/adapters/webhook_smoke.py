"""Smoke tests that are a service's answer."""

from collections.abc import Callable

import anyio
import httpx
import msgspec

from bundles.core.names import ArtifactPath, Product
from bundles.core.urls import exact_url
from bundles.core.version import Version
from release.core.names import Channel
from release.core.signature import sign
from release.core.smoke import WebhookTest
from release.ports import Candidate, Clock, SmokeResult

MAX_FILES = 1_000
MAX_ANSWER_BYTES = 64 * 1024


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
    """Asks by one signed POST. Redirects are not followed: what is at another place was not named.

    `secret` is asked for at each test, and raises `Failed` where there is none.
    """

    def __init__(self, secret: Callable[[], bytes], clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    async def run(self, test: WebhookTest, candidate: Candidate) -> SmokeResult:
        """Passed where the service says so within the test's time."""
        body = msgspec.json.encode(_request(candidate))
        timestamp = self._clock.now()
        headers = {
            "content-type": "application/json",
            "headrace-timestamp": str(timestamp),
            "headrace-signature": f"v1={sign(self._secret(), timestamp, body)}",
        }
        try:
            with anyio.fail_after(test.timeout_seconds):
                status, answer = await _post(test.url, body, headers)
        except TimeoutError:
            return SmokeResult(False, f"{test} did not answer within {test.timeout_seconds} seconds")
        except httpx.HTTPError as error:
            # Not its text: that may have the whole URL in it.
            return SmokeResult(False, f"{test} could not be asked: {type(error).__name__}")
        return SmokeResult(*_judge(test, status, answer), answer.decode("utf-8", "replace"))


async def _post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """The status, and the beginning of the answer."""
    async with (
        httpx.AsyncClient(timeout=None, follow_redirects=False) as client,  # noqa: S113 - all of it has a time
        client.stream("POST", url, content=body, headers=headers) as response,
    ):
        answer = bytearray()
        async for chunk in response.aiter_bytes():
            answer += chunk
            if len(answer) >= MAX_ANSWER_BYTES:
                break
        return response.status_code, bytes(answer[:MAX_ANSWER_BYTES])


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


def _judge(test: WebhookTest, status: int, answer: bytes) -> tuple[bool, str]:
    if not 200 <= status < 300:
        redirected = ", and redirects are not followed" if 300 <= status < 400 else ""
        return False, f"{test} answered {status}{redirected}"
    try:
        passed = msgspec.json.decode(answer, type=Answer).passed
    except msgspec.MsgspecError:
        return False, f'{test} answered {status} without a JSON object that has "passed": true or false'
    return passed, f"{test} says that the build {'passed' if passed else 'failed'}"
