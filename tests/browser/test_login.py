"""A person logs the command line in with a real Chromium: its cookies, its policies, and the way back."""

import os
from pathlib import Path

from api.core.role import Role
from tests.support.api import Asker, make_tokens
from tests.support.browser_login import LoginProcess, place
from tests.support.driven_browser import driven_browser

PROMPT = "document.querySelector('[name=prompt]')?.value"
SUBMIT = "document.querySelector('form [type=submit]').click()"


def test_a_person_logs_the_command_line_in(tmp_path: Path) -> None:
    token = make_tokens(tmp_path / "data")[Role.ADMIN]
    with place(tmp_path / "data", tmp_path) as at, at.client() as http:
        granted = Asker(http, at.url, token).ask(
            "PUT", "/people/ada@example.com", json={"roles": ["viewer"], "products": ["*"]}
        )
        assert granted.status_code == 200, granted.text
        variables = {
            **os.environ,
            "NO_COLOR": "1",
            "SSL_CERT_FILE": str(at.authority),
            "BROWSER": "true",
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
        }
        with LoginProcess(at.url, variables) as login, driven_browser() as browser:
            browser.visit(login.url)
            browser.wait_for(f"{PROMPT} == 'login'")
            browser.run("document.querySelector('[name=login]').value = 'ada'")
            browser.run("document.querySelector('[name=password]').value = 'none'")
            browser.run(SUBMIT)
            browser.wait_for(f"{PROMPT} == 'consent'")
            browser.run(SUBMIT)
            shown = browser.wait_for("document.title == 'Is this your command line?' && document.body.innerText")
            assert "as ada@example.com" in shown
            assert login.code in shown
            assert browser.run("getComputedStyle(document.body).maxWidth") == "576px"  # its style is let in
            assert not {name for name in browser.cookies() if "headrace" in name}
            browser.run("[...document.links].find(link => link.text == 'Yes, log it in').click()")
            browser.wait_for("document.title == 'Back to the command line' && location.hostname == '127.0.0.1'")
            code, out, err = login.end()
        assert (code, out, err) == (0, f"prod: {at.url} as ada@example.com\n", "")
