"""What `headrace apply` finds, changes and says."""

from collections.abc import Iterable
from typing import Any, cast

import msgspec
from rich.console import Console

from api.core.operation import Operation
from api.core.page import items_of
from api.core.plain import plain
from api.operations.people import ListPeople
from api.operations.policy import ReadPolicy
from api.operations.publishers import ListPublishers
from headrace.asking import Asking, sending
from headrace.declared import State, Step, ThingChange, What

_LONGEST = 200


class AppliedView(msgspec.Struct, frozen=True):
    """What a file changes, or would change; and whether it was applied."""

    changes: tuple[ThingChange, ...]
    applied: bool


async def find_present(wanted: State, asking: Asking) -> State:
    """What is there, of all that the file declares."""
    async with sending(ReadPolicy, asking) as ask:
        policy, people, publishers = await ask(ReadPolicy()), None, None
        if wanted.people is not None:
            people = tuple([each async for each in items_of(ask, ListPeople())])
        if wanted.publishers is not None:
            publishers = tuple([each async for each in items_of(ask, ListPublishers())])
        return State(policy, people, publishers)


async def apply_all(steps: Iterable[Step], asking: Asking) -> None:
    """Each a change of its own, in this order."""
    for step in steps:
        async with sending(type(step.asked), asking) as ask:
            await ask(cast("Operation[Any]", step.asked))


def draw_applied(console: Console, view: AppliedView) -> None:
    """Each thing that changes, with its fields below it, and what came of it."""
    signs = {What.ADD: "+", What.CHANGE: "~", What.REMOVE: "-"}
    for change in view.changes:
        console.print(plain(f"{signs[change.what]} {change.kind} {change.name}"))
        for field in change.fields:
            console.print(plain(f"    {field.path}: {_words(field.before)} -> {_words(field.after)}"))
    if not view.changes:
        console.print("all is as the file declares it")
    elif not view.applied:
        console.print(f"{len(view.changes)} would change; nothing was changed")
    else:
        console.print(f"{len(view.changes)} changed")


def _words(value: object) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
