"""People: who a token is about, and what they are granted."""

from typing import Any

import pytest

from api.core.access import Caller, Grant
from api.core.id_token import IdToken
from api.core.operation import Terms
from api.core.people import Person, caller_of, parse_person, person_of
from api.core.role import Role
from api.operations.people import ListPeople, RemovePerson, SetPerson
from api.perform import Plane, perform
from bundles.core.errors import Invalid, NotAllowed, NotFound
from release.core.audit import open_row
from release.core.names import Tenant

ISSUER = "https://login.example.com"
SUBJECT = f"{ISSUER}|42"
VIEWER, RELEASER, ADMIN_ROLE = (
    Grant(roles=frozenset({role})) for role in (Role.VIEWER, Role.RELEASER, Role.ADMIN)
)
ADMIN = Caller("ada@example.com", ADMIN_ROLE)
TERMS = Terms()


def person(**claims: Any) -> Person:
    return person_of(IdToken(ISSUER, "42", 2_000_000_000, None, claims), "groups")


def test_a_verified_address_is_a_person() -> None:
    ada = person(email="Ada@Example.com", email_verified=True)
    assert (ada.email, ada.name) == ("ada@example.com", "ada@example.com")
    assert caller_of(ada, {"ada@example.com": VIEWER}) == Caller("ada@example.com", VIEWER, ("ada@example.com",))


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "ada@example.com"},
        {"email": "ada@example.com", "email_verified": False},
        {"email": "ada@example.com", "email_verified": "true"},
        {"email": "token:ada@example.com", "email_verified": True},
        {"email": "ada", "email_verified": True},
        {"email": "a b@example.com", "email_verified": True},
        {"email": ["ada@example.com"], "email_verified": True},
    ],
)
def test_an_address_that_nobody_has_verified_is_nobody_s(claims: dict[str, Any]) -> None:
    unknown = person(**claims)
    assert unknown.email is None
    with pytest.raises(NotAllowed, match="granted nothing here"):
        caller_of(unknown, {"ada@example.com": ADMIN_ROLE, "ada": ADMIN_ROLE})


def test_what_the_provider_never_gives_to_another_comes_first() -> None:
    ada = person(email="ada@example.com", email_verified=True, groups=["ops"])
    known = {SUBJECT: VIEWER, "ada@example.com": RELEASER, "group:ops": ADMIN_ROLE}
    assert caller_of(ada, known) == Caller("ada@example.com", VIEWER, (SUBJECT,))


def test_roles_of_several_groups_are_joined() -> None:
    both = person(groups=["ops", "unknown", "support"])
    granted = caller_of(both, {"group:ops": RELEASER, "group:support": VIEWER})
    assert granted.grant == Grant(roles=frozenset({Role.RELEASER, Role.VIEWER}))
    assert granted.granted_as == ("group:ops", "group:support")


@pytest.mark.parametrize(
    "other",
    [
        Grant(roles=frozenset({Role.ADMIN}), products=("sdk",)),
        Grant(roles=frozenset({Role.CUSTOMER}), tenant=Tenant("acme")),
    ],
)
def test_groups_for_different_products_are_not_joined(other: Grant) -> None:
    with pytest.raises(NotAllowed, match="grants are for different products"):
        caller_of(person(groups=["a", "b"]), {"group:a": VIEWER, "group:b": other})


@pytest.mark.parametrize("groups", [None, "ops", {"ops": 1}, [1, None, ["ops"]]])
def test_groups_that_are_none_are_nobody_s(groups: object) -> None:
    with pytest.raises(NotAllowed):
        caller_of(person(groups=groups), {"group:ops": ADMIN_ROLE})


def test_without_a_claim_to_read_groups_are_not_looked_at() -> None:
    ada = person_of(IdToken(ISSUER, "42", 2_000_000_000, None, {"groups": ["ops"]}), None)
    with pytest.raises(NotAllowed):
        caller_of(ada, {"group:ops": ADMIN_ROLE})


def test_a_person_without_an_address_has_a_name_that_fits_the_audit_trail() -> None:
    assert person().name == "oidc:login.example.com|42"
    long = [person_of(IdToken(ISSUER, f"{'x' * 200}{i}", 0, None, {}), None).name for i in (1, 2)]
    assert [len(name) for name in long] == [100, 100]
    assert long[0] != long[1]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Ada@Example.com", "ada@example.com"),
        (SUBJECT, SUBJECT),
        ("group:Release Engineers", "group:Release Engineers"),
    ],
)
def test_a_person_is_named_in_three_ways(text: str, key: str) -> None:
    assert parse_person(text) == key


@pytest.mark.parametrize("text", ["", "ada", "@x", "group:", "https://x|", "x|42", "a@b@c", "ada@example.com\n"])
def test_what_names_nobody_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is nobody"):
        parse_person(text)


@pytest.mark.anyio
async def test_grants_are_set_listed_and_removed_by_audited_changes(plane: Plane) -> None:
    roles = frozenset({Role.RELEASER})
    ask = SetPerson(person="Bo@example.com", roles=roles, products=("*",), reason="joined")
    view = await perform(plane, ADMIN, ask, TERMS)
    assert (view.person, view.roles, view.tenant) == ("bo@example.com", (Role.RELEASER,), None)
    await perform(plane, ADMIN, SetPerson(person=SUBJECT, roles=roles, products=("*",)), TERMS)
    page = await perform(plane, ADMIN, ListPeople(limit=1), TERMS)
    assert [each.person for each in page.items] == ["bo@example.com"]
    rest = await perform(plane, ADMIN, ListPeople(cursor=page.next or ""), TERMS)
    assert [each.person for each in rest.items] == [SUBJECT]
    remove = RemovePerson(person="bo@example.com", reason="left")
    assert await perform(plane, ADMIN, remove, Terms(key="once")) == view
    assert await perform(plane, ADMIN, remove, Terms(key="once")) == view
    with pytest.raises(NotFound, match=r"nothing was granted to 'bo@example\.com'"):
        await perform(plane, ADMIN, remove, TERMS)
    async with plane.control.ledger.reading() as reading:
        trail = [open_row(row) async for row in reading.trail()]
    assert [(entry.verb, entry.subject, entry.reason) for entry in trail] == [
        ("person-set", "bo@example.com", "joined"),
        ("person-set", SUBJECT, ""),
        ("person-remove", "bo@example.com", "left"),
    ]


@pytest.mark.anyio
async def test_nobody_grants_or_takes_what_they_have_not(plane: Plane) -> None:
    narrow = Caller("nia@example.com", Grant(roles=frozenset({Role.ADMIN}), products=("sdk",)))
    await perform(
        plane, ADMIN, SetPerson(person="bo@example.com", roles=frozenset({Role.VIEWER}), products=("*",)), TERMS
    )
    for change in (
        SetPerson(person="nia@example.com", roles=frozenset({Role.ADMIN}), products=("*",)),
        SetPerson(person="bo@example.com", roles=frozenset({Role.VIEWER}), products=("sdk",)),
        RemovePerson(person="bo@example.com"),
    ):
        with pytest.raises(NotAllowed, match="may not give or take"):
            await perform(plane, narrow, change, TERMS)
    with pytest.raises(Invalid, match="a customer has its tenant"):
        await perform(
            plane,
            ADMIN,
            SetPerson(person="c@example.com", roles=frozenset({Role.CUSTOMER}), products=("*",)),
            TERMS,
        )
