"""Changes of the routing table that no verb makes."""

from collections.abc import Awaitable, Callable

from release.change import Author, Begin, Control, Subject
from release.ports import Transaction

Write = Callable[[Transaction], Awaitable[None]]


async def change(control: Control, subject: Subject, author: Author, write: Write) -> None:
    """One change: what `write` does."""

    async def act(begin: Begin) -> None:
        async with begin() as transaction:
            await write(transaction)

    await control.once(subject, author, act, lambda _: None)
