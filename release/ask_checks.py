"""Ask the checks of live rollouts, and keep what is answered."""

from collections.abc import Sequence

import anyio
import msgspec

from bundles.core.errors import Failed
from bundles.core.names import Product
from release.change import Control
from release.checks import STATES, Live, conclude_all, kept_state, kept_states, live_rollouts
from release.core.check_rule import About, Answer, CheckRule, Finding, MetricSource, WebhookSource
from release.core.checks import CheckState, answered, is_due, known
from release.core.names import Channel
from release.core.smoke import clean_finding
from release.policies import policy_in_force
from release.ports import CheckWebhook, Prometheus, Transaction, Unanswered


class CheckAskers(msgspec.Struct, frozen=True):
    """Whom the checks of each kind are asked through."""

    prometheus: Prometheus
    webhook: CheckWebhook

    async def ask(self, rule: CheckRule, about: About) -> Answer:
        """The answer, soon after the rule's timeout at the latest; an unknown one where there is none."""
        source = rule.source
        try:
            match source:
                case MetricSource():
                    query = source.query_about(about)
                    answer = source.judge(await self.prometheus.value(source.url, query, rule.timeout_seconds))
                case WebhookSource():
                    said = await self.webhook.verdict(source.url, rule.name, about, rule.timeout_seconds)
                    answer = source.judge(*said)
        except Unanswered as error:
            answer = Answer(Finding.UNKNOWN, f"{source} {error}")
        except Failed as error:
            answer = Answer(Finding.UNKNOWN, str(error))
        return Answer(answer.finding, clean_finding(answer.reason))


class DueCheck(msgspec.Struct, frozen=True):
    """A check to ask about a rollout, and what was known of it when that was found."""

    live: Live
    rule: CheckRule
    known: CheckState | None

    @property
    def name(self) -> str:
        """What tells it from all others that may be asked at the same time."""
        return self.live.state_name(self.rule)

    @property
    def about(self) -> About:
        """What it is asked about."""
        rollout = self.live.rollout
        return About(
            product=self.live.product,
            channel=self.live.channel,
            candidate=rollout.candidate,
            stable=self.live.stable,
            stage=str(rollout.stage),
            percent=rollout.stage.share / 100,
            stage_since=rollout.stage_since,
        )


async def due_checks(control: Control) -> Sequence[DueCheck]:
    """The checks to ask now, first those that were asked longest ago. What is kept of others is forgotten."""
    rollouts = live_rollouts(await control.overview.look(control.ledger))
    if not rollouts:
        return ()
    async with control.ledger.transaction() as transaction:
        policy, kept = await policy_in_force(transaction), await kept_states(transaction)
        now = control.clock.now()
        checks = conclude_all(policy, kept, rollouts, now)
        for name in kept.keys() - {live.state_name(at.rule) for live, at in checks}:
            await _forget(transaction, name, kept[name])
    due = [DueCheck(live, at.rule, at.state) for live, at in checks if is_due(at.state, at.rule, now)]
    return sorted(due, key=lambda each: each.known.at if each.known else 0)


async def _forget(transaction: Transaction, name: str, state: CheckState | None) -> None:
    """Forget what is kept of a rollout that has ended, and not of one that has begun since the table was seen."""
    product, channel, _ = name.split(" ")
    now = await transaction.channel(Product(product), Channel(channel))
    if state is None or now is None or now.rollout is None or now.rollout.identity != state.rollout:
        await transaction.save_document(STATES, name, None)


async def ask_check(control: Control, askers: CheckAskers, due: DueCheck) -> CheckState | None:
    """What is known after the check was asked, and is kept now.

    None where nothing is kept: the rollout is not as it was any more, another rule is in force, or somebody else
    has kept an answer meanwhile.
    """
    asked_at = control.clock.now()
    answer = await askers.ask(due.rule, due.about)
    state = answered(due.known, due.rule, due.live.rollout, answer, asked_at)
    with anyio.CancelScope(shield=True):
        async with control.ledger.transaction() as transaction:
            if not await _is_as_it_was(transaction, due):
                return None
            await transaction.save_document(STATES, due.name, state)
    return state


async def _is_as_it_was(transaction: Transaction, due: DueCheck) -> bool:
    channel = await transaction.channel(due.live.product, due.live.channel)
    if channel is None or channel.rollout != due.live.rollout:
        return False
    if due.rule not in (await policy_in_force(transaction)).checks(due.live.product, due.live.channel):
        return False
    kept = await kept_state(transaction, due.name)
    return known(kept, due.rule, due.live.rollout) == due.known
