"""Who somebody is that has logged in, and which of the grants that admins have set is theirs."""

import re
from collections.abc import Mapping

import msgspec

from api.core.access import Caller, Grant, caller_name
from api.core.id_token import IdToken
from api.core.role import Role
from bundles.core.errors import Invalid, NotAllowed
from release.core.audit import MAX_ACTOR_LENGTH

MAX_KEY_LENGTH = 255
MAX_GROUPS = 1000

_EMAIL = re.compile(r"[^\s@:|~,;<>\"\\]{1,64}@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_GROUP = "group:"


class Person(msgspec.Struct, frozen=True):
    """Somebody who has logged in, by all the keys that a grant may be under."""

    subject: str
    """`issuer|sub`: the provider never gives it to another."""
    email: str | None
    """Only where the provider says that it has verified it."""
    groups: tuple[str, ...]

    @property
    def name(self) -> str:
        """The person's name for the audit trail: the e-mail address, or what the provider knows them by."""
        if self.email is not None and len(self.email) <= MAX_ACTOR_LENGTH:
            return self.email
        return caller_name(f"oidc:{self.subject.removeprefix('https://')}")


def parse_person(text: str) -> str:
    """The key of a grant: an e-mail address in lower case, `issuer|sub`, or `group:` and a group's name."""
    if len(text) <= MAX_KEY_LENGTH and text.isprintable():
        if text.startswith(_GROUP) and len(text) > len(_GROUP):
            return text
        issuer, bar, subject = text.partition("|")
        if bar and issuer.startswith(("https://", "http://")) and subject:
            return text
        if _EMAIL.fullmatch(text.lower()):
            return text.lower()
    raise Invalid(
        f"{text[:100]!r} is nobody: name an e-mail address, `issuer|sub` of an ID token, or `group:` and a group"
    )


def parse_owner(text: str) -> str:
    """A person as the audit trail names them once they have logged in, by e-mail address or `issuer|sub`."""
    person = parse_person(text)
    is_address = "|" not in person
    if person.startswith(_GROUP) or (is_address and len(person) > MAX_ACTOR_LENGTH):
        raise Invalid(f"{text[:100]!r} is no one person: name an e-mail address, or `issuer|sub` of an ID token")
    return person if is_address else Person(subject=person, email=None, groups=()).name


def person_of(token: IdToken, groups_claim: str | None) -> Person:
    """Who the token is about. An address that the provider has not verified is anybody's."""
    email = (token.text("email") or "").lower()
    is_verified = token.claims.get("email_verified") is True and _EMAIL.fullmatch(email) is not None
    said = token.claims.get(groups_claim) if groups_claim is not None else None
    groups = said if isinstance(said, list) else []
    return Person(
        subject=f"{token.issuer}|{token.subject}",
        email=email if is_verified else None,
        groups=tuple(f"{_GROUP}{group}" for group in groups[:MAX_GROUPS] if isinstance(group, str)),
    )


def caller_of(person: Person, grants: Mapping[str, Grant]) -> Caller:
    """Who the person is here, with what they were granted: first as the provider knows them, then by their e-mail
    address; else by their groups.

    Of several groups the roles are joined, where all of them are for the same products. Raises `NotAllowed` where
    nothing was granted, and where the groups' grants are for different products: no one grant says that.
    """
    for key in (person.subject, person.email):
        if key is not None and key in grants:
            return Caller(person.name, grants[key], (key,))
    groups = tuple(group for group in person.groups if group in grants)
    granted = [grants[group] for group in groups]
    if not granted:
        raise NotAllowed(
            f"{person.name} was granted nothing here: an admin can, with the person {_advice(person)}"
        )
    first = granted[0]
    if any((set(grant.products), grant.tenant) != (set(first.products), first.tenant) for grant in granted):
        raise NotAllowed(
            f"{person.name} is in several groups whose grants are for different products: an admin can grant to"
            f" the person {_advice(person)}"
        )
    roles = frozenset[Role]().union(*(grant.roles for grant in granted))
    return Caller(person.name, msgspec.structs.replace(first, roles=roles), groups)


def _advice(person: Person) -> str:
    return repr(person.email or person.subject)
