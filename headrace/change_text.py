"""A change as a person reads it: the cells of a line of text."""

from api.core.plain import plain
from api.views.change import ChangeView


def cells_of(view: ChangeView, what: str) -> list[str]:
    """Revision, time, who, what and why."""
    return [str(view.revision), view.at, *(plain(text) for text in (view.actor, what, view.reason))]
