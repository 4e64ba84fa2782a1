"""The options of `headrace rollout start` that name smoke tests."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from release.core.policy import RolloutRule

SmokeBrowser = Annotated[
    list[str] | None,
    typer.Option(
        "--smoke-browser",
        metavar="GLOBAL[,FILE]",
        help="Leaves staging once a page in headless Chromium has loaded FILE without an error and has GLOBAL.",
    ),
]
SmokeCommand = Annotated[
    list[str] | None,
    typer.Option(
        "--smoke-command",
        metavar="COMMAND",
        help="Leaves staging once this program has ended with exit code 0. No shell reads it.",
    ),
]
SmokeWebhook = Annotated[
    list[str] | None,
    typer.Option(
        "--smoke-webhook",
        metavar="URL",
        help='Leaves staging once this service has answered a signed POST with {"passed": true}.',
    ),
]
SmokeTimeout = Annotated[
    str | None, typer.Option("--smoke-timeout", help="How long each smoke test may take, as in 90s; else 60s.")
]


class SmokeGiven(msgspec.Struct, frozen=True):
    """What the options say."""

    browser: Sequence[str]
    command: Sequence[str]
    webhook: Sequence[str]
    timeout: str | None

    def added_to(self, rule: RolloutRule) -> RolloutRule:
        """The rule with these tests beside its own: no option takes away a test that the policy names."""
        return msgspec.structs.replace(
            rule,
            smoke_browser=(*rule.smoke_browser, *self.browser),
            smoke_command=(*rule.smoke_command, *self.command),
            smoke_webhook=(*rule.smoke_webhook, *self.webhook),
            smoke_timeout=self.timeout or rule.smoke_timeout,
        )
