"""`headrace login --browser`, with a real server, a real OpenID provider, and what a browser does between them."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from api.chance import new_secret
from api.core.role import Role
from api.core.token import Prefix
from tests.support.api import make_tokens
from tests.support.browser_login import Browser, LoginProcess, Place, place
from tests.support.cli import HEADRACE, TIMEOUT_SECONDS
from tests.support.processes import api
from tests.support.shell import Ran


class Ground(NamedTuple):
    """The server, an admin's token, and the environment of somebody at a terminal."""

    place: Place
    token: str
    variables: dict[str, str]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Ada is granted something, and Eve is not."""
    folder = tmp_path_factory.mktemp("login")
    token = make_tokens(folder / "data")[Role.ADMIN]
    with place(folder / "data", folder) as at:
        variables = {**os.environ, "NO_COLOR": "1", "SSL_CERT_FILE": str(at.authority), "BROWSER": "true"}
        admin = {**variables, "HEADRACE_SERVER": at.url, "HEADRACE_TOKEN": token}
        granted = run(admin, "person set ada@example.com --role releaser")
        assert granted.code == 0, granted.err
        yield Ground(at, token, variables)


@pytest.fixture
def variables(ground: Ground, tmp_path: Path) -> dict[str, str]:
    """A person's who has no profile yet."""
    return {**ground.variables, "XDG_CONFIG_HOME": str(tmp_path / "config")}


def run(variables: dict[str, str], command: str) -> Ran:
    done = subprocess.run(
        [str(HEADRACE), *command.split()],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def profiles(variables: dict[str, str]) -> str:
    file = Path(variables["XDG_CONFIG_HOME"]) / "headrace" / "profiles.toml"
    return file.read_text() if file.exists() else ""


def secret_in(variables: dict[str, str]) -> str:
    return profiles(variables).partition('token = "')[2].partition('"')[0]


def keep_session(variables: dict[str, str], server: str) -> None:
    """A profile with a session that has ended, or that the server never had."""
    folder = Path(variables["XDG_CONFIG_HOME"]) / "headrace"
    folder.mkdir(parents=True)
    file = folder / "profiles.toml"
    file.write_text(f'[prod]\nserver = "{server}"\ntoken = "{new_secret(Prefix.SESSION)}"\n')
    file.chmod(0o600)


def test_a_person_logs_in_through_the_browser_and_out_again(
    ground: Ground, variables: dict[str, str], tmp_path: Path
) -> None:
    opened = tmp_path / "opened"
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\necho noise; printf %s "$1" > {shlex.quote(str(opened))}\n')
    opener.chmod(0o700)
    with (
        LoginProcess(ground.place.url, variables | {"BROWSER": f"{opener} %s"}, "--json") as login,
        Browser(ground.place) as browser,
    ):
        page = browser.log_in(login.url)
        assert (page.response.status_code, page.response.headers["cache-control"]) == (200, "no-store")
        assert "as ada@example.com, for 12 hours" in page.text
        assert login.code in page.text
        assert not browser.http.cookies  # the browser itself is not logged in
        taken = browser.visit(page.links["Yes, log it in"])
        assert taken.response.url.host == "127.0.0.1"
        assert "You can close this window" in taken.text
        code, out, err = login.end()
        brought = taken.response.url.params["code"]
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "profile": "prod",
        "server": ground.place.url,
        "name": "ada@example.com",
        "roles": ["releaser"],
    }
    assert opened.read_text() == login.url
    secret = secret_in(variables)
    assert secret.startswith("hds_")
    assert not any(hidden in str(ground.place.process.log) for hidden in (secret, brought))
    assert run(variables | {"HEADRACE_PROFILE": "prod"}, "tenant list").code == 0
    assert me(ground, secret).status_code == 200
    ended = run(variables, "logout prod")
    assert (ended.code, ended.out) == (0, f"prod: {ground.place.url} is forgotten, and the session is ended\n")
    assert me(ground, secret).status_code == 401
    assert secret not in profiles(variables)


def me(ground: Ground, secret: str) -> httpx.Response:
    with Browser(ground.place) as browser:
        return browser.http.get(f"{ground.place.url}/api/v1/me", headers={"authorization": f"Bearer {secret}"})


def test_what_is_no_answer_to_this_login_is_waited_on(ground: Ground, variables: dict[str, str]) -> None:
    """Any page that a person visits can have the browser ask there."""
    with LoginProcess(ground.place.url, variables) as login, Browser(ground.place) as browser:
        state = httpx.URL(login.url).params["state"]
        for path in (
            "/", "/favicon.ico", "/headrace-login", "/headrace-login?code=theirs", "/headrace-login?code=x&state=",
            "/headrace-login?code=theirs&state=theirs", f"/?code=theirs&state={state}",
        ):  # fmt: skip
            refused = browser.visit(login.listener + path)
            assert refused.response.status_code == 404, path
            assert "frame-ancestors 'none'" in refused.response.headers["content-security-policy"]
        assert browser.http.post(f"{login.listener}/headrace-login?code=theirs&state={state}").status_code == 501
        browser.visit(browser.log_in(login.url).links["Yes, log it in"])
        assert login.end()[0] == 0


def test_another_s_code_is_of_no_use(ground: Ground, variables: dict[str, str]) -> None:
    """Who has learned the state of a login brings a code of one of theirs: it is for another verifier."""
    with (
        LoginProcess(ground.place.url, variables) as theirs,
        LoginProcess(ground.place.url, variables) as ours,
        Browser(ground.place) as browser,
    ):
        code = httpx.URL(browser.log_in(theirs.url).links["Yes, log it in"]).params["code"]
        state = httpx.URL(ours.url).params["state"]
        browser.visit(f"{ours.listener}/headrace-login?code={code}&state={state}")
        exit_code, out, err = ours.end()
    assert (exit_code, out, err.count("\n")) == (4, "", 1)
    assert "is another's: begin again" in err
    assert profiles(variables) == ""


def test_who_says_no_is_not_logged_in(ground: Ground, variables: dict[str, str]) -> None:
    with LoginProcess(ground.place.url, variables) as login, Browser(ground.place) as browser:
        browser.visit(browser.log_in(login.url).links["No"])
        assert login.end() == (4, "", "headrace: nobody was logged in: the page in the browser says why\n")
    assert profiles(variables) == ""


def test_who_was_granted_nothing_reads_so_in_the_browser(ground: Ground, variables: dict[str, str]) -> None:
    with LoginProcess(ground.place.url, variables) as login, Browser(ground.place) as browser:
        page = browser.log_in(login.url, "eve")
        assert page.response.status_code == 403
        assert "eve@example.com was granted nothing here: an admin can" in page.text
        browser.visit(page.links["Tell the command line"])
        assert login.end()[0] == 4
    assert profiles(variables) == ""


def test_nobody_is_waited_for_longer_than_told(ground: Ground, variables: dict[str, str]) -> None:
    with LoginProcess(ground.place.url, variables, "--timeout", "1s") as login:
        assert login.end() == (6, "", "headrace: nobody logged in within 1s: begin again\n")


def test_ctrl_c_ends_it_without_a_word(ground: Ground, variables: dict[str, str]) -> None:
    with LoginProcess(ground.place.url, variables) as login:
        login.interrupt()
        assert login.end() == (130, "", "")


def test_a_server_that_nobody_logs_in_to_is_told_before_a_browser_opens(
    variables: dict[str, str], tmp_path: Path
) -> None:
    with api(tmp_path / "data") as server:
        ran = run(variables, f"login {server.url} --profile prod --browser")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "runs without `headrace api --login`. Use a token" in ran.err


@pytest.mark.parametrize("options", ["--browser --publisher ci", "--browser --timeout soon"])
def test_options_that_make_no_sense_are_refused(ground: Ground, variables: dict[str, str], options: str) -> None:
    ran = run(variables, f"login {ground.place.url} --profile prod {options}")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_who_has_no_session_any_more_is_told_how_to_get_one(ground: Ground, variables: dict[str, str]) -> None:
    keep_session(variables, ground.place.url)
    for command in ("tenant list", "events --follow"):
        ran = run(variables | {"HEADRACE_PROFILE": "prod"}, command)
        assert (ran.code, ran.out, ran.err.count("\n")) == (4, "", 1)
        assert f"`headrace login {ground.place.url} --profile prod --browser`" in ran.err
    assert run(variables, "logout prod").code == 0


def test_a_profile_is_forgotten_though_its_server_is_away(variables: dict[str, str]) -> None:
    keep_session(variables, "https://127.0.0.1:9")
    ran = run(variables, "logout prod")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "prod is forgotten, but its session goes on until it ends by itself" in ran.err
    assert profiles(variables) == ""
