"""Channels and their rollouts."""

from typing import Annotated

from msgspec import Meta

from api.core.access import APPROVERS, READERS, RELEASERS, UNDOERS
from api.core.fields import ChannelField, DurationField, ProductField, TimeField, VersionField
from api.core.operation import Change, Method, Operation, route
from api.views.channel import ChannelView
from api.views.rollout import WatchView
from release.core.policy import RolloutRule

_CHANNEL = "/products/{product}/channels/{channel}"
_ROLLOUT = f"{_CHANNEL}/rollout"

_Stages = Annotated[str, Meta(min_length=1, max_length=1000, examples=["staging,canary,5,25@2h,100"])]
_Texts = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=500)], ...], Meta(max_length=1000)]


@route(Method.GET, _CHANNEL, READERS)
class ReadChannel(Operation[ChannelView], frozen=True, kw_only=True):
    """What a channel serves, and where its rollout is."""

    product: ProductField
    channel: ChannelField


@route(Method.GET, f"{_CHANNEL}/rollouts/{{candidate}}", READERS)
class ReadRollout(Operation[WatchView], frozen=True, kw_only=True):
    """Show a candidate's rollout, live or scheduled, or how its last one ended."""

    product: ProductField
    channel: ChannelField
    candidate: VersionField


@route(Method.POST, _ROLLOUT, RELEASERS, status=201)
class StartRollout(Change[ChannelView], frozen=True, kw_only=True):
    """Begin to roll a published build out, at its plan's first stage.

    What is left open, the policy in force decides, or with `rule` that rule in its place. Smoke tests are added to
    those that the rule names; commands and webhooks, which the controller runs and asks, only an admin may add.
    With `at`, RFC 3339, it begins as soon as it may after that time. With `supersede` it takes the place of the
    rollout that is there. With `break_glass` it goes through freezes.
    """

    product: ProductField
    channel: ChannelField
    candidate: VersionField
    stages: _Stages | None = None
    bake: DurationField | None = None
    canary: _Texts = ()
    first: _Texts = ()
    last: _Texts = ()
    rule: RolloutRule | None = None
    smoke_browser: _Texts = ()
    smoke_command: _Texts = ()
    smoke_webhook: _Texts = ()
    smoke_timeout: DurationField | None = None
    at: TimeField | None = None
    supersede: bool = False
    break_glass: bool = False


@route(Method.POST, f"{_ROLLOUT}/promote", RELEASERS)
class PromoteRollout(Change[ChannelView], frozen=True, kw_only=True):
    """Go to the next stage, or to a later one by name; after the last one, the candidate is the stable build.

    With `break_glass` it goes past smoke tests, gates, freezes and approval.
    """

    product: ProductField
    channel: ChannelField
    to: Annotated[str, Meta(min_length=1, max_length=40, examples=["50", "done"])] | None = None
    break_glass: bool = False


@route(Method.POST, f"{_ROLLOUT}/approve", APPROVERS)
class ApproveRollout(Change[ChannelView], frozen=True, kw_only=True):
    """Let a candidate out of staging, where the policy asks for someone else than the rollout's author."""

    product: ProductField
    channel: ChannelField
    candidate: VersionField


@route(Method.POST, f"{_ROLLOUT}/pause", RELEASERS)
class PauseRollout(Change[ChannelView], frozen=True, kw_only=True):
    """Stay at this stage: who has the candidate keeps it, and nobody is added."""

    product: ProductField
    channel: ChannelField


@route(Method.POST, f"{_ROLLOUT}/resume", RELEASERS)
class ResumeRollout(Change[ChannelView], frozen=True, kw_only=True):
    """Go on from a pause; the stage's bake time begins again."""

    product: ProductField
    channel: ChannelField
    break_glass: bool = False


@route(Method.POST, f"{_ROLLOUT}/abort", UNDOERS)
class AbortRollout(Change[ChannelView], frozen=True, kw_only=True):
    """End the rollout, live or scheduled: every tenant is back at the stable build, at once."""

    product: ProductField
    channel: ChannelField


@route(Method.POST, f"{_CHANNEL}/rollback", UNDOERS)
class RollBack(Change[ChannelView], frozen=True, kw_only=True):
    """Flip a channel back to an earlier stable build, in one revision and without stages.

    `to` is that build; without it, what everyone had before the last change.
    """

    product: ProductField
    channel: ChannelField
    to: VersionField | None = None
