"""People who log in. A change of what is granted ends the sessions that were begun with what was."""

from api.core.access import Grant
from api.core.page import Page, page_of
from api.core.people import parse_person
from api.operations.people import ListPeople, RemovePerson, SetPerson
from api.people import list_people, remove_person, set_person
from api.perform import Call, handles
from api.sessions import end_granted
from api.views.people import PersonView, view_person
from release.core.names import parse_tenant


@handles(SetPerson)
async def set_(call: Call, asked: SetPerson) -> PersonView:
    """What the person is granted from now on."""
    person = parse_person(asked.person)
    tenant = None if asked.tenant is None else parse_tenant(asked.tenant)
    grant = Grant(roles=asked.roles, products=asked.products, tenant=tenant)
    await set_person(call.control, person, grant, call.caller, call.author(asked))
    await end_granted(call.plane.access, person)
    return view_person(person, grant)


@handles(ListPeople)
async def list_(call: Call, asked: ListPeople) -> Page[PersonView]:
    """Those whom the caller could have granted that."""
    covers = call.caller.grant.covers
    granted = await list_people(call.control)
    people = [view_person(person, grant) for person, grant in granted.items() if covers(grant)]
    return page_of(people, lambda view: view.person, asked.cursor, asked.limit)


@handles(RemovePerson)
async def remove(call: Call, asked: RemovePerson) -> PersonView:
    """What the person was granted."""
    person = parse_person(asked.person)
    removed = await remove_person(call.control, person, call.caller, call.author(asked))
    await end_granted(call.plane.access, person)
    return view_person(person, removed)
