"""What a file declares: the vendor's rules, and who may do what; and what would have to change for it to be so."""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from api.core.people import parse_person
from api.core.publishers import ISSUERS
from api.operations.people import RemovePerson, SetPerson
from api.operations.policy import ApplyPolicy
from api.operations.publishers import RemovePublisher, SetPublisher
from api.views.people import PersonView
from api.views.publishers import PublisherView
from bundles.core.errors import Invalid
from headrace.policy_file import policy_in
from headrace.toml_file import read_toml
from release.core.codec import encode_document
from release.core.policy import Policy
from release.core.revisions import leaves_of

_MAX_BYTES = 1024 * 1024
_MAX_DECLARED = 10_000

Asked = ApplyPolicy | SetPerson | RemovePerson | SetPublisher | RemovePublisher
V = TypeVar("V", PersonView, PublisherView)


class What(StrEnum):
    """What happens to a thing."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


class FieldChange(msgspec.Struct, frozen=True):
    """A field that differs, by its path, as in `rollout.0.stages`; null for nothing."""

    path: str
    before: Any
    after: Any


class ThingChange(msgspec.Struct, frozen=True):
    """What would change of one thing: the policy, a person or a publisher."""

    kind: str
    name: str
    what: What
    fields: tuple[FieldChange, ...]


class State(msgspec.Struct, frozen=True):
    """The rules, and who may do what. In a file, what is None is left as it is."""

    policy: Policy | None = None
    people: tuple[PersonView, ...] | None = None
    publishers: tuple[PublisherView, ...] | None = None


class Step(msgspec.Struct, frozen=True):
    """A change, and what asks for it."""

    change: ThingChange
    asked: Asked


def read_declared(file: Path, now: int) -> State:
    """What the file declares: the sections of a policy, `[[person]]` and `[[publisher]]`.

    The policy is declared as a whole by any of its sections. Raises `Invalid` with the file's name and the key for
    what is unknown or makes no sense.
    """
    document = read_toml(file, _MAX_BYTES, "policy")
    people = _declared(file, document.pop("person", None), "person", _person)
    publishers = _declared(file, document.pop("publisher", None), "publisher", _publisher)
    return State(policy_in(document, file, now) if document else None, people, publishers)


def steps_to(wanted: State, present: State, reason: str) -> list[Step]:
    """What leads from what is there to what is wanted: rules first, and what takes rights away last."""
    steps = [
        *_policy_steps(wanted, present, reason),
        *_publisher_steps(wanted, present, reason),
        *_person_steps(wanted, present, reason),
    ]
    return sorted(steps, key=lambda step: step.change.what is What.REMOVE)


def _policy_steps(wanted: State, present: State, reason: str) -> Iterator[Step]:
    if wanted.policy is not None and encode_document(wanted.policy) != encode_document(present.policy):
        change = _change("policy", "in force", present.policy, wanted.policy)
        yield Step(change, ApplyPolicy(policy=wanted.policy, reason=reason))


def _publisher_steps(wanted: State, present: State, reason: str) -> Iterator[Step]:
    if wanted.publishers is None:
        return
    for name, before, after in _pairs(present.publishers, wanted.publishers, lambda each: each.name):
        remove = RemovePublisher(name=name, reason=reason)
        asked = remove if after is None else _set_publisher(after, reason)
        yield Step(_change("publisher", name, before, after), asked)


def _person_steps(wanted: State, present: State, reason: str) -> Iterator[Step]:
    if wanted.people is None:
        return
    for name, before, after in _pairs(present.people, wanted.people, lambda each: each.person):
        asked = RemovePerson(person=name, reason=reason) if after is None else _set_person(after, reason)
        yield Step(_change("person", name, before, after), asked)


def _declared(file: Path, written: Any, kind: str, read: Callable[[Any], V]) -> tuple[V, ...] | None:
    if written is None:
        return None
    if not isinstance(written, list) or len(written) > _MAX_DECLARED:
        raise Invalid(f"{file}: write each {kind} as [[{kind}]], at most {_MAX_DECLARED} of them")
    found = []
    for number, each in enumerate(written, 1):
        try:
            found.append(read(each))
        except (msgspec.ValidationError, Invalid) as error:
            raise Invalid(f"{file}: {kind} {number}: {error}") from None
    return tuple(found)


def _person(written: Any) -> PersonView:
    asked = msgspec.convert(written, SetPerson)
    return PersonView(
        person=parse_person(asked.person),
        roles=tuple(sorted(asked.roles)),
        products=asked.products,
        tenant=asked.tenant,
    )


def _publisher(written: Any) -> PublisherView:
    asked = msgspec.convert(written, SetPublisher)
    return PublisherView(
        name=asked.name,
        service=asked.service,
        issuer=asked.issuer or ISSUERS[asked.service],
        repository=asked.repository,
        repository_id=asked.repository_id,
        owner_id=asked.owner_id,
        workflow=asked.workflow,
        environment=asked.environment,
        refs=asked.refs,
        products=asked.products,
        roles=tuple(sorted(asked.roles)),
    )


def _set_person(view: PersonView, reason: str) -> SetPerson:
    return msgspec.convert({**msgspec.to_builtins(view), "reason": reason}, SetPerson)


def _set_publisher(view: PublisherView, reason: str) -> SetPublisher:
    return msgspec.convert({**msgspec.to_builtins(view), "reason": reason}, SetPublisher)


def _pairs(
    present: Sequence[V] | None, wanted: Sequence[V], name_of: Callable[[V], str]
) -> Iterator[tuple[str, V | None, V | None]]:
    """What differs, by name, as it is and as it is wanted; None for nothing. Raises `Invalid` for a name twice."""
    before: dict[str, V] = {name_of(each): each for each in present or ()}
    after: dict[str, V] = {name_of(each): each for each in wanted}
    if len(after) != len(wanted):
        names = [name_of(each) for each in wanted]
        raise Invalid(f"{next(name for name in names if names.count(name) > 1)!r} is declared twice")
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def _change(kind: str, name: str, before: Any, after: Any) -> ThingChange:
    old, new = _leaves(before), _leaves(after)
    fields = tuple(
        FieldChange(path, old.get(path), new.get(path))
        for path in dict.fromkeys([*old, *new])
        if old.get(path) != new.get(path)
    )
    what = What.REMOVE if after is None else What.ADD if not old else What.CHANGE
    return ThingChange(kind, name, what, fields)


def _leaves(thing: Any) -> dict[str, object]:
    return leaves_of(msgspec.json.decode(msgspec.json.encode(thing)))
