"""Which tenants a rollout reaches first and last, by name and by what is known of them."""

import re
from collections.abc import Mapping

import msgspec

from bundles.core.errors import Invalid
from release.core.names import Tenant, parse_tenant

Attributes = Mapping[str, str]
"""What the vendor has recorded of a tenant, as in `tier` = `enterprise`."""

NOTHING_KNOWN: Attributes = {}
MAX_ATTRIBUTES = 16
MAX_CONDITIONS = 32
MAX_VALUES = 32
MAX_HELD_TENANTS = 1_000

_NAME = re.compile(r"[a-z](?:[a-z0-9_-]{0,30}[a-z0-9])?")
_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:/-]{0,62}[A-Za-z0-9])?")


class Condition(msgspec.Struct, frozen=True):
    """Holds for tenants whose attribute has one of these values."""

    attribute: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.values) <= MAX_VALUES:
            raise Invalid(f"a condition has 1 to {MAX_VALUES} values, not {len(self.values)}")
        for value in self.values:
            check_attributes({self.attribute: value})

    def __str__(self) -> str:
        return f"{self.attribute}={','.join(self.values)}"

    def holds(self, about: Attributes) -> bool:
        """True for a tenant of whom this is known."""
        return about.get(self.attribute) in self.values


class Held(msgspec.Struct, frozen=True):
    """Keeps tenants back until the stage at this place of the plan."""

    condition: Condition
    until: int


class Targeting(msgspec.Struct, frozen=True):
    """Who is reached as soon as the rollout has left staging, and who is held back until a later stage.

    `held_tenants` are held by name, `last` by what is known of them.
    """

    first: tuple[Condition, ...] = ()
    last: tuple[Held, ...] = ()
    held_tenants: Mapping[Tenant, int] = {}

    def __post_init__(self) -> None:
        if len(self.first) > MAX_CONDITIONS or len(self.last) > MAX_CONDITIONS:
            raise Invalid(f"a plan has at most {MAX_CONDITIONS} conditions for first and for last")
        if len(self.held_tenants) > MAX_HELD_TENANTS:
            raise Invalid(f"a plan holds at most {MAX_HELD_TENANTS} tenants by name")
        for tenant in self.held_tenants:
            parse_tenant(tenant)

    @property
    def places(self) -> list[int]:
        """The places of all stages that somebody is held until."""
        return [*(held.until for held in self.last), *self.held_tenants.values()]

    def holds_back(self, tenant: Tenant, about: Attributes, place: int) -> bool:
        """True where the tenant is held back at the stage in this place."""
        if place < self.held_tenants.get(tenant, 0):
            return True
        return any(place < held.until and held.condition.holds(about) for held in self.last)

    def is_first(self, about: Attributes) -> bool:
        """True for a tenant that is reached first by what is known of it."""
        return any(condition.holds(about) for condition in self.first)


def parse_condition(text: str) -> Condition:
    """A condition from `attribute=value` or `attribute=value,value`."""
    attribute, separator, values = text.partition("=")
    if not separator:
        raise Invalid(f"{text!r} is not a condition: write attribute=value, as in tier=enterprise")
    return Condition(attribute, tuple(values.split(",")))


def parse_attributes(texts: list[str]) -> dict[str, str]:
    """Attributes, each as `name=value`."""
    attributes = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or name in attributes:
            raise Invalid(f"{text!r} is not one more attribute: write name=value, each name once")
        attributes[name] = value
    check_attributes(attributes)
    return attributes


def check_attributes(attributes: Attributes) -> None:
    """Raises `Invalid` for names, values or a number of them that a routing table can't hold."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise Invalid(f"a tenant has at most {MAX_ATTRIBUTES} attributes, not {len(attributes)}")
    for name, value in attributes.items():
        if not _NAME.fullmatch(name):
            raise Invalid(f"{name!r} is not an attribute: use 1 to 32 of a-z, 0-9, '_' and '-', as in tier")
        if not _VALUE.fullmatch(value):
            raise Invalid(
                f"{value!r} is not an attribute's value: use 1 to 64 of A-Z, a-z, 0-9, '.', '_', ':', '/' and '-'"
            )
