"""A body of beacons as it is sent, and the beacons in it. What is not of this form is refused, and all of it."""

import binascii
import re
from functools import lru_cache
from typing import Annotated

import msgspec

from beacons.core.beacon import Beacon, FirstError, Outcome
from beacons.core.frames import frames_of
from beacons.core.scrub import MAX_KIND, is_kind, scrub
from bundles.core.errors import Invalid
from bundles.core.names import Product, parse_product
from bundles.core.version import Version, parse_version
from release.core.names import PRODUCTION, parse_environment, parse_tenant

MAX_BODY_BYTES = 16 * 1024
MAX_BEACONS = 50
"""In one body."""
MAX_TEXT = 4096
"""The most characters of a message and of a stack, as they are sent."""

_MAX_NAME = 256
_BUILDS_REMEMBERED = 1024
_TENANTS_REMEMBERED = 16_384
# 128 bits, of which the last character has two.
_INSTALLATION = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]")
_STANDARD = str.maketrans("-_", "+/")

_Name = Annotated[str, msgspec.Meta(max_length=_MAX_NAME)]
_Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]


class _SentError(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: _Name
    message: _Text = ""
    stack: _Text = ""


class _SentBeacon(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    build: _Name
    tenant: _Name
    installation: _Name
    outcome: Outcome
    environment: _Name = PRODUCTION
    error: _SentError | None = None


class _SentBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    beacons: Annotated[list[_SentBeacon], msgspec.Meta(min_length=1, max_length=MAX_BEACONS)]


_DECODER = msgspec.json.Decoder(_SentBody)


def parse_beacons(body: bytes) -> tuple[Beacon, ...]:
    """The beacons of a body. Raises `Invalid` where one of them is not as it must be."""
    if len(body) > MAX_BODY_BYTES:
        raise Invalid(f"the body has more than {MAX_BODY_BYTES} bytes")
    try:
        sent = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(f"the body is not as beacons are: {error}") from None
    return tuple(map(_beacon, sent.beacons))


def _beacon(sent: _SentBeacon) -> Beacon:
    product, version = _build(sent.build)
    if sent.error is not None and sent.outcome is Outcome.LOADED:
        raise Invalid("a beacon that says loaded has no error")
    return Beacon(
        product=product,
        version=version,
        tenant=_tenant(sent.tenant),
        environment=_environment(sent.environment),
        installation=_installation(sent.installation),
        outcome=sent.outcome,
        error=None if sent.error is None else _first_error(sent.error, product, version),
    )


@lru_cache(maxsize=_BUILDS_REMEMBERED)
def _build(text: str) -> tuple[Product, Version]:
    product, at, version = text.rpartition("@")
    if not at:
        raise Invalid(f"{text!r} is not a build: write product@version, as in sdk@1.4.2")
    return parse_product(product), parse_version(version)


_tenant = lru_cache(maxsize=_TENANTS_REMEMBERED)(parse_tenant)
_environment = lru_cache(maxsize=_BUILDS_REMEMBERED)(parse_environment)


def _installation(text: str) -> bytes:
    if not _INSTALLATION.fullmatch(text):
        raise Invalid("an installation is 128 random bits in 22 characters of base64url")
    return binascii.a2b_base64(text.translate(_STANDARD) + "==")


def _first_error(sent: _SentError, product: Product, version: Version) -> FirstError:
    if not is_kind(sent.kind):
        raise Invalid(
            f"an error's kind is its class's name, as TypeError: at most {MAX_KIND} of A-Z, a-z, 0-9, '_', '$'"
            " and '.', without three digits in a row"
        )
    return FirstError(sent.kind, scrub(sent.message), frames_of(sent.stack, product, version))
