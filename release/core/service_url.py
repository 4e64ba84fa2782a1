"""URLs of services that the controller asks."""

from urllib.parse import SplitResult, urlsplit

from bundles.core.errors import Invalid

MAX_URL_LENGTH = 4_000
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""Of URLs of this machine itself, where what is secret may go without TLS."""


def check_service_url(url: str, what: str) -> SplitResult:
    """The URL's parts. Raises `Invalid`, without the URL, which may be private; `what` is as in "a webhook"."""
    parts = _parsed(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"{what} is an http or https URL of printable ASCII characters")
    if parts.username or parts.password or parts.fragment:
        raise Invalid(f"{what} URL holds no user, password or fragment: the controller knows its own secrets")
    return parts


def _parsed(text: str) -> SplitResult | None:
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > MAX_URL_LENGTH:
        return None
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return None
    return parts
