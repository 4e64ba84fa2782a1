"""The ID token that a CI service signs for the job that this runs in."""

from collections.abc import Mapping

import httpx
import msgspec

from bundles.core.errors import Failed, Invalid
from release.core.codec import UNREADABLE

ID_TOKEN_VARIABLE = "HEADRACE_ID_TOKEN"  # noqa: S105 - its name
"""What a job of GitLab CI names its ID token: GitLab has no name of its own for it."""
_TIMEOUT_SECONDS = 30.0


class _Answer(msgspec.Struct, frozen=True):
    value: str


def ci_token(environ: Mapping[str, str], audience: str) -> str | None:
    """The ID token for this audience, of which GitHub Actions is asked; None where the job has none.

    Raises `Invalid` for a job of GitHub Actions that may not ask, `Failed` where it is not answered.
    """
    if url := environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        return _of_github(url, environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", ""), audience)
    if token := environ.get(ID_TOKEN_VARIABLE):
        return token.strip()
    if environ.get("GITHUB_ACTIONS") == "true":
        raise Invalid("this job may not ask for an ID token: give it the permission `id-token: write`")
    return None


def _of_github(url: str, token: str, audience: str) -> str:
    """As docs.github.com has it under "OpenID Connect reference"."""
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    try:
        asked = httpx.URL(url).copy_merge_params({"audience": audience})
        response = httpx.get(asked, headers=headers, timeout=_TIMEOUT_SECONDS).raise_for_status()
        return msgspec.json.decode(response.content, type=_Answer).value
    except (httpx.HTTPError, httpx.InvalidURL, *UNREADABLE) as error:
        raise Failed(f"GitHub Actions gave no ID token: {type(error).__name__}; run the job again") from None
