"""People who log in, and what each is granted (docs/login.md)."""

from api.core.access import ADMINS
from api.core.fields import CursorField, LimitField, PatternsField, PersonField, RolesField, TenantField
from api.core.operation import Change, Method, Operation, route
from api.core.page import Page
from api.views.people import PersonView

_ONE = "/people/{person}"


@route(Method.PUT, _ONE, ADMINS)
class SetPerson(Change[PersonView], frozen=True, kw_only=True):
    """Grant roles to a person or a group, in the place of those they had. Who is logged in by those logs in anew.

    With `tenant`, to a customer: it may ask for that tenant alone.
    """

    person: PersonField
    roles: RolesField
    products: PatternsField
    tenant: TenantField | None = None


@route(Method.GET, "/people", ADMINS)
class ListPeople(Operation[Page[PersonView]], frozen=True, kw_only=True):
    """Who may log in, and what each is granted."""

    limit: LimitField = 100
    cursor: CursorField = ""


@route(Method.DELETE, _ONE, ADMINS)
class RemovePerson(Change[PersonView], frozen=True, kw_only=True):
    """Let a person or a group log in no more, and end their sessions; the answer is what they were granted."""

    person: PersonField
