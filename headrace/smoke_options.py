"""The options of `headrace rollout start` that name smoke tests."""

from typing import Annotated

import typer

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
