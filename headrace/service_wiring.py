"""Joins smoke tests and checks to what runs and answers them: programs, Chromium, Prometheus and services."""

import os
from pathlib import Path

from bundles.core.errors import Failed
from release.ask_checks import CheckAskers
from release.change import Control
from release.core.signature import MIN_SECRET_BYTES
from release.smoke import SmokeRunners

SMOKE_SECRET_VARIABLE = "HEADRACE_SMOKE_SECRET"  # noqa: S105 - its name
SMOKE_SECRET_FILE_VARIABLE = "HEADRACE_SMOKE_SECRET_FILE"  # noqa: S105 - its name
SMOKE_TESTS_AT_ONCE = 4
PROMETHEUS_TOKEN_VARIABLE = "HEADRACE_PROMETHEUS_TOKEN"  # noqa: S105 - its name
PROMETHEUS_TOKEN_FILE_VARIABLE = "HEADRACE_PROMETHEUS_TOKEN_FILE"  # noqa: S105 - its name
CHECKS_AT_ONCE = 16


def smoke_runners(control: Control) -> SmokeRunners:
    """Who runs smoke tests: programs and Chromium on this machine, and services by webhook."""
    from release.adapters.browser_smoke import BrowserSmoke  # few verbs need these, and they are slow to load
    from release.adapters.chromium import find_chromium
    from release.adapters.command_smoke import CommandSmoke
    from release.adapters.webhook_smoke import WebhookSmoke

    return SmokeRunners(
        command=CommandSmoke(control.builds),
        webhook=WebhookSmoke(smoke_secret, control.clock),
        browser=BrowserSmoke(control.builds, find_chromium),
    )


def check_askers(control: Control) -> CheckAskers:
    """Whom checks are asked through."""
    # Only the controller needs these, and they are slow to load.
    from release.adapters.prometheus_check import PrometheusCheck
    from release.adapters.webhook_check import WebhookCheck

    return CheckAskers(PrometheusCheck(prometheus_token), WebhookCheck(smoke_secret, control.clock))


def prometheus_token() -> str | None:
    """The bearer token for Prometheus; None where none is named. Raises `Failed` for one that can't be used."""
    file = os.environ.get(PROMETHEUS_TOKEN_FILE_VARIABLE)
    try:
        token = Path(file).read_text("ascii") if file else os.environ.get(PROMETHEUS_TOKEN_VARIABLE, "")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise Failed(f"can't read the token for Prometheus in {file}: {why}") from None
    token = token.strip()
    if file and not token:
        raise Failed(f"the token for Prometheus in {file} is empty")
    if not (token.isascii() and token.isprintable()):
        raise Failed("the token for Prometheus is one line of printable ASCII characters")
    return token or None


def smoke_secret() -> bytes:
    """The secret that webhooks are signed with. Raises `Failed` where there is none that can be used."""
    file = os.environ.get(SMOKE_SECRET_FILE_VARIABLE)
    try:
        secret = Path(file).read_bytes() if file else os.environ.get(SMOKE_SECRET_VARIABLE, "").encode()
    except OSError as error:
        raise Failed(f"can't read the secret of smoke tests' webhooks in {file}: {error.strerror}") from None
    secret = secret.strip()
    if len(secret) < MIN_SECRET_BYTES:
        raise Failed(
            f"webhooks are signed with a secret of at least {MIN_SECRET_BYTES} bytes: put one in a file that"
            f" {SMOKE_SECRET_FILE_VARIABLE} names, or in {SMOKE_SECRET_VARIABLE}"
        )
    return secret
