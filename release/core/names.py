"""Names of who asks and through what: tenants, environments and channels. Parsed at the edge."""

import re
from typing import NewType

from bundles.core.errors import Invalid
from bundles.core.version import Range

Tenant = NewType("Tenant", str)
Environment = NewType("Environment", str)
Channel = NewType("Channel", str)

PRODUCTION = Environment("production")
STAGING = Environment("staging")
STABLE = Channel("stable")

TENANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,126}[A-Za-z0-9])?")
ENVIRONMENT = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")
CHANNEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


def parse_tenant(text: str) -> Tenant:
    """A customer's id, as the vendor writes it."""
    if not TENANT.fullmatch(text):
        raise Invalid(
            f"{text!r} is not a tenant id: use 1 to 128 of A-Z, a-z, 0-9, '.', '_', ':' and '-', beginning and"
            " ending with a letter or digit"
        )
    return Tenant(text)


def parse_environment(text: str) -> Environment:
    """One of a tenant's environments; `production` unless named."""
    if not ENVIRONMENT.fullmatch(text):
        raise Invalid(f"{text!r} is not an environment: use 1 to 32 of a-z, 0-9 and '-', as in production")
    return Environment(text)


def parse_channel(text: str) -> Channel:
    """A channel's name: a word, or a major version's number.

    What could be read as a range (`x`) is refused, so that `product@text` means one thing only.
    """
    if not CHANNEL.fullmatch(text) or (not text.isdigit() and _is_range(text)):
        raise Invalid(f"{text!r} is not a channel: use 1 to 32 of a-z, 0-9 and '-', as in stable, next or 2")
    return Channel(text)


def serves_ranges(channel: Channel) -> bool:
    """True for the channels whose builds a range may choose: `stable` and the majors, never a preview."""
    return channel == STABLE or channel.isdigit()


def _is_range(text: str) -> bool:
    try:
        Range(text)
    except Invalid:
        return False
    return True
