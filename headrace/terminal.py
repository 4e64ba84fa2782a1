"""What every verb shares with its user: the payload on stdout, and all else on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH_OF_A_PIPE = 400


def show(document: object, as_json: bool, draw: "Callable[[Console], None]") -> None:
    """The verb's payload on stdout: as JSON, or as `draw` puts it for a person."""
    if as_json:
        import msgspec

        encoded = msgspec.json.format(msgspec.json.encode(document), indent=2)
        _write_json(encoded)
    else:
        from rich.console import Console

        # A pipe has no width to fit a table into.
        width = None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE
        draw(Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=width))


def tell(document: object) -> None:
    """One of many payloads on stdout, as a line of JSON."""
    import msgspec

    _write_json(msgspec.json.encode(document))


def _write_json(encoded: bytes) -> None:
    """In UTF-8, whatever the locale: JSON has no other encoding (RFC 8259, section 8.1)."""
    sys.stdout.flush()
    sys.stdout.buffer.write(encoded + b"\n")
    sys.stdout.buffer.flush()


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr where that is a terminal, else nothing. Yields what to call after each piece of work."""
    with _bar(what, total) as update:
        yield lambda: update(advance=1)


@contextmanager
def transfer(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """The same for bytes. Yields what to call with how many are done, fewer than before where it begins anew."""
    with _bar(what, total) as update:
        yield lambda done: update(completed=done)


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[..., None]]:
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield lambda **_: None
        return
    from rich.progress import Progress

    with Progress(console=console, transient=True, redirect_stdout=False) as bar:
        yield partial(bar.update, bar.add_task(what, total=total))
