"""A build's groups of errors as a person reads them."""

from collections.abc import Iterable

from rich.console import Console

from api.views.error import ErrorGroupView, FrameView


def draw_group(console: Console, group: ErrorGroupView) -> None:
    """The group, its stack below it, and why frames of it are as published."""
    what = f"{group.kind}: {group.message}" if group.kind else "errors of yet other kinds"
    lines = [f"{group.units} {'unit' if group.units == 1 else 'units'}: {what}"]
    lines += [f"  from {group.first_seen} to {group.last_seen}"]
    lines += [f"  at {_frame(frame)}" for frame in group.frames]
    lines += [f"  as published: {why}" for why in _reasons(group.frames)]
    for line in lines:
        console.print(line, soft_wrap=False)


def _frame(frame: FrameView) -> str:
    if frame.source is None:
        return f"{frame.function or '?'} {frame.path}:{frame.line}:{frame.column}"
    name = frame.source.function or frame.function or "?"
    return f"{name} {frame.source.source}:{frame.source.line}:{frame.source.column}"


def _reasons(frames: Iterable[FrameView]) -> Iterable[str]:
    return dict.fromkeys(f"{frame.path}: {frame.why}" for frame in frames if frame.why is not None)
