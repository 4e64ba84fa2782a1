"""Channels and their rollouts."""

from datetime import UTC

import msgspec

from api.core.access import ADMINS
from api.core.token import same_callers
from api.operations.channels import (
    AbortRollout,
    ApproveRollout,
    PauseRollout,
    PromoteRollout,
    ReadChannel,
    ReadRollout,
    ResumeRollout,
    RollBack,
    StartRollout,
)
from api.perform import Call, handles
from api.tokens import list_tokens
from api.views.channel import ChannelView, view_channel
from api.views.rollout import WatchView, view_rollout
from bundles.core.errors import Refused
from bundles.core.names import Product, parse_product
from bundles.core.version import parse_version
from release.change import Author, Control
from release.core.commands import Abort, Approve, Command, Pause, Promote, Resume, Rollback, Schedule, Start
from release.core.freeze import parse_time
from release.core.names import Channel, parse_channel
from release.core.policy import RolloutRule, first_for
from release.endings import MOST_ENTRIES, ending_of
from release.policies import read_policy
from release.rollouts import command_channel, new_salt, read_channel
from release.trail import read_history


@handles(ReadChannel)
async def read(call: Call, asked: ReadChannel) -> ChannelView:
    """The channel as it is now."""
    product, channel = parse_product(asked.product), parse_channel(asked.channel)
    return view_channel(product, channel, await read_channel(call.control, product, channel))


@handles(ReadRollout)
async def read_rollout(call: Call, asked: ReadRollout) -> WatchView:
    """The rollout as it is now. Raises `Refused` where there was none."""
    product, channel = parse_product(asked.product), parse_channel(asked.channel)
    candidate, control = parse_version(asked.candidate), call.control
    at = await read_channel(control, product, channel)
    ended, coming = None, at.state.coming
    if coming is None or coming.candidate != candidate:
        entries = await read_history(control.ledger, product, channel, MOST_ENTRIES)
        ended = ending_of(entries, product, channel, candidate)
        if ended is None:
            raise Refused(f"{product}@{candidate} was not rolled out on channel {channel}")
    return view_rollout(product, channel, candidate, at, ended, control.clock.now())


@handles(StartRollout)
async def start(call: Call, asked: StartRollout) -> ChannelView:
    """The channel with its rollout, or with one that is scheduled."""
    product, channel = parse_product(asked.product), parse_channel(asked.channel)
    if _runs_or_asks(asked):
        call.caller.require_role(ADMINS)
    begins_at = None if asked.at is None else parse_time(asked.at, UTC)
    rule = await rollout_rule(call.control, asked, product, channel)
    command = Start(parse_version(asked.candidate), rule.plan(), rule.salt or new_salt(), asked.supersede)
    author = call.author(asked, breaks_glass=asked.break_glass)
    return await _command(call, asked, command if begins_at is None else Schedule(command, begins_at), author)


@handles(PromoteRollout)
async def promote(call: Call, asked: PromoteRollout) -> ChannelView:
    """The channel, a stage or more later."""
    return await _command(call, asked, Promote(to=asked.to), call.author(asked, breaks_glass=asked.break_glass))


@handles(ApproveRollout)
async def approve(call: Call, asked: ApproveRollout) -> ChannelView:
    """The channel, whose rollout may leave staging."""
    same = same_callers(call.caller.name, tuple((await list_tokens(call.control)).values()))
    return await _command(call, asked, Approve(parse_version(asked.candidate), same), call.author(asked))


@handles(PauseRollout)
async def pause(call: Call, asked: PauseRollout) -> ChannelView:
    """The channel with its rollout paused."""
    return await _command(call, asked, Pause(), call.author(asked))


@handles(ResumeRollout)
async def resume(call: Call, asked: ResumeRollout) -> ChannelView:
    """The channel with its rollout live."""
    return await _command(call, asked, Resume(), call.author(asked, breaks_glass=asked.break_glass))


@handles(AbortRollout)
async def abort(call: Call, asked: AbortRollout) -> ChannelView:
    """The channel without a rollout."""
    return await _command(call, asked, Abort(), call.author(asked))


@handles(RollBack)
async def roll_back(call: Call, asked: RollBack) -> ChannelView:
    """The channel at an earlier stable build."""
    command = Rollback(to=None if asked.to is None else parse_version(asked.to))
    return await _command(call, asked, command, call.author(asked))


def _runs_or_asks(asked: StartRollout) -> bool:
    """True where the controller would run a program or ask a service that its admins did not name."""
    given = (asked,) if asked.rule is None else (asked, asked.rule)
    return any(each.smoke_command or each.smoke_webhook for each in given)


_OfChannel = (
    StartRollout | PromoteRollout | ApproveRollout | PauseRollout | ResumeRollout | AbortRollout | RollBack
)


async def _command(call: Call, asked: _OfChannel, command: Command, author: Author) -> ChannelView:
    product, channel = parse_product(asked.product), parse_channel(asked.channel)
    return view_channel(product, channel, await command_channel(call.control, product, channel, command, author))


async def rollout_rule(control: Control, asked: StartRollout, product: Product, channel: Channel) -> RolloutRule:
    """How the rollout goes: as it was asked for, else as the rule has it. Raises `Invalid`."""
    rule = asked.rule or first_for((await read_policy(control)).rollout, product, channel) or RolloutRule()
    named = {
        "stages": asked.stages,
        "bake": asked.bake,
        "canary": asked.canary,
        "first": asked.first,
        "last": asked.last,
        "smoke_timeout": asked.smoke_timeout,
    }
    return msgspec.structs.replace(
        rule,
        **{name: value for name, value in named.items() if value},
        smoke_browser=(*rule.smoke_browser, *asked.smoke_browser),
        smoke_command=(*rule.smoke_command, *asked.smoke_command),
        smoke_webhook=(*rule.smoke_webhook, *asked.smoke_webhook),
    )
