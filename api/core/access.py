"""Who asks, and what that lets them do."""

import hashlib
import re
from fnmatch import fnmatchcase

import msgspec

from api.core.role import Role
from bundles.core.errors import Invalid, NotAllowed
from bundles.core.names import Product, scope_of
from release.core.audit import MAX_ACTOR_LENGTH
from release.core.names import Tenant
from release.core.scope import EVERYTHING, ForProducts

READERS = frozenset({Role.VIEWER, Role.PUBLISHER, Role.RELEASER, Role.APPROVER, Role.ADMIN})
"""Everyone of the vendor's."""
CUSTOMERS = frozenset({Role.CUSTOMER})
PUBLISHERS = frozenset({Role.PUBLISHER, Role.ADMIN})
RELEASERS = frozenset({Role.RELEASER, Role.ADMIN})
APPROVERS = frozenset({Role.APPROVER, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})
UNDOERS = RELEASERS | APPROVERS
"""Who may keep a build from tenants: to undo is let to more than to do."""


PATTERN = r"[a-z0-9@._/*-]{1,130}"
"""Products that a grant is for: `*` is the only sign that stands for others."""
_PATTERN = re.compile(PATTERN)


class Grant(ForProducts, frozen=True, kw_only=True):
    """The roles that somebody has, for which products; a customer's, and no other, is for its own tenant."""

    roles: frozenset[Role]
    tenant: Tenant | None = None

    def __post_init__(self) -> None:
        if not self.roles or not self.products:
            raise Invalid("a grant has one role and one product at least; * is for all products")
        if Role.CUSTOMER in self.roles and (len(self.roles) > 1 or self.tenant is None):
            raise Invalid("a customer has its tenant, and no other role")
        if Role.CUSTOMER not in self.roles and self.tenant is not None:
            raise Invalid("a tenant is for the role customer alone: leave it out")
        for pattern in self.products:
            if not _PATTERN.fullmatch(pattern):
                raise Invalid(f"{pattern!r} names no products: write a name, with * for any characters")

    def covers(self, other: "Grant") -> bool:
        """True where all that the other one lets do, this one does too. An admin may do what all roles may.

        A pattern that matches another one's text matches all that the other matches: what the other's `*` stands
        for is then within what a `*` of its own stands for.
        """
        has_roles = Role.ADMIN in self.roles or other.roles <= self.roles
        has_products = all(
            any(fnmatchcase(asked, pattern) for pattern in self.products) for asked in other.products
        )
        return has_roles and has_products and self.tenant in (None, other.tenant)

    @property
    def is_for_all_products(self) -> bool:
        """True of one that is for whatever product there may be."""
        return all(self.is_for_product(Product(each)) for each in EVERYTHING)

    def least(self, other: "Grant") -> "Grant | None":
        """Which of the two lets do less; None where each lets do what the other does not."""
        return other if self.covers(other) else self if other.covers(self) else None

    def is_of_another(self, product: Product) -> bool:
        """True of a customer's grant for a product that is another tenant's own, and that it does not name."""
        scope = scope_of(product)
        if self.tenant is None or scope is None or scope == f"@{self.tenant}":
            return False
        return not any(pattern.startswith(f"{scope}/") for pattern in self.products)


def caller_name(text: str) -> str:
    """What the audit trail calls a caller: one that is too long ends with a part of its digest, so that no other
    has the same.
    """
    if len(text) <= MAX_ACTOR_LENGTH:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: MAX_ACTOR_LENGTH - len(digest) - 1]}~{digest}"


class Caller(msgspec.Struct, frozen=True):
    """Who asks: a name for the audit trail, and what they were granted.

    The name says what kind of caller it is, as in `token:ci`, `ada@example.com` or `github:acme/sdk`; so no name
    is one that the control plane uses for itself. `granted_as` are the people or groups that the grant was set
    for, of somebody who has logged in.
    """

    name: str
    grant: Grant
    granted_as: tuple[str, ...] = ()

    def is_known_as(self, person: str) -> bool:
        """True of this person, and of whose grant was set for this person or group."""
        return person in (self.name, *self.granted_as)

    def require_role(self, roles: frozenset[Role]) -> None:
        """Raise `NotAllowed` where the caller has none of these roles."""
        if not self.grant.roles & roles:
            raise NotAllowed(f"{self.name} may not do that: it needs the role {' or '.join(sorted(roles))}")

    def require_covers(self, grant: Grant) -> None:
        """Raise `NotAllowed` where that grant lets do more than the caller's: nobody gives or takes that."""
        if not self.grant.covers(grant):
            raise NotAllowed(f"{self.name} may not give or take what it has not: that grant lets do more")

    def require_all_products(self, what: str) -> None:
        """Raise `NotAllowed` where the caller's grant is for some products alone, of what is of all of them."""
        if not self.grant.is_for_all_products:
            raise NotAllowed(f"{self.name} has a right to some products: {what} is of all of them")

    def require_scope(self, product: str | None, tenant: str | None) -> None:
        """Raise `NotAllowed` where the caller's grant is for other products, or for another tenant.

        What is asked for of no product and no tenant, as who the caller is, is none of another's. Another tenant's
        own products a customer has a right to only where its grant names that tenant, as in `@globex/*`.
        """
        if product is not None and not self.grant.is_for_product(Product(product)):
            raise NotAllowed(f"{self.name} has no right to {product}: its grant is for other products")
        if self.grant.tenant is not None and tenant not in (None, self.grant.tenant):
            raise NotAllowed(f"{self.name} may ask for its own tenant alone")
        if product is not None and self.grant.is_of_another(Product(product)):
            raise NotAllowed(f"{self.name} has no right to {product}: it is another tenant's")
