"""The file of the provider that people log in at. It may hold a secret, so it is for its owner alone."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from api.core.oidc import check_issuer
from bundles.adapters.key_files import read_private
from bundles.core.errors import Invalid
from headrace.toml_file import parse_toml

_MAX_BYTES = 64 * 1024


class LoginFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The provider, and Headrace as it knows it. Without a secret it is a public client.

    `scopes` are asked for beside `openid`. With `groups_claim`, the claim of an ID token that lists groups, admins
    can grant to those too.
    """

    issuer: str
    client_id: str
    client_secret: str | None = None
    scopes: tuple[str, ...] = ("email",)
    groups_claim: str | None = None


def read_login_file(file: Path) -> LoginFile:
    """What the file says. Raises `Refused` where others than its owner can read it, and `Invalid` with the file's
    name and the key for what is unknown or makes no sense; never with a value that may be secret.
    """
    document = parse_toml(read_private(file, "the login file"), file, _MAX_BYTES, "login file")
    try:
        read = msgspec.convert(document, LoginFile)
        check_issuer(read.issuer)
    except (msgspec.ValidationError, Invalid) as error:
        raise Invalid(f"{file}: {error}") from None
    return read


def parse_public_url(text: str) -> str:
    """The URL that users know this Headrace by. Raises `Invalid` for what is no origin, or not HTTPS."""
    try:
        check_issuer(text)
    except Invalid:
        raise Invalid(f"{text!r} is no public URL: write it as in https://headrace.example.com") from None
    if urlsplit(text).path not in ("", "/"):
        raise Invalid(f"{text!r} has a path: name scheme and host, as in https://headrace.example.com")
    return text.rstrip("/")
