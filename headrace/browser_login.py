"""A person logs in to the command line through a browser (docs/login.md)."""

import secrets
import subprocess
import sys
from collections.abc import Callable

from api.core.command_line import Waiting, shown_code
from api.core.oidc import code_challenge
from bundles.core.errors import NotAuthenticated
from headrace.client.login import login_url, redeem
from headrace.login_listener import listening


def log_in(server: str, seconds: float, tell: Callable[[str], None]) -> str:
    """A session's secret, once a person has logged in; `tell` is given each line for that person.

    Raises `NotAuthenticated` where nobody did, `TimeoutError` where there is no answer within so many seconds.
    """
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with listening(state) as listener:
        waiting = Waiting(listener.port, state, code_challenge(verifier))
        url = login_url(server, waiting)
        tell(f"log in with a browser on this machine: {url}")
        tell(f"it shows the code {shown_code(waiting.code_challenge)} then; with another one, say no there")
        _open_browser(url)
        answer = listener.wait(seconds)
    if (code := answer.get("code")) is None:
        raise NotAuthenticated("nobody was logged in: the page in the browser says why")
    return redeem(server, code, verifier)


def _open_browser(url: str) -> None:
    """Have a browser open it, if there is one.

    In a process of its own: what a browser writes is not for this terminal, Ctrl-C here does not end it, and one
    that runs in a terminal is not waited for.
    """
    subprocess.Popen(  # noqa: S603 - the URL is the server's, which its user has named
        [sys.executable, "-m", "webbrowser", url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
