"""Every verb that a server answers too says the same on a data folder and with a profile: text, JSON, and code."""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.core.access import Grant
from api.core.role import Role
from headrace.late import LOCAL
from tests.contract.conftest import free_port
from tests.support.api import make_token
from tests.support.cli import HEADRACE, environment
from tests.support.processes import ApiProcess, api
from tests.support.shell import Ran, Shell, shell

Made = tuple[Path, dict[Role, str]]
ACTOR = "token:ci"
# What chance or the clock has made, and so differs.
_DIFFERS = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+]00:00))?|hdr_\w+|\b[0-9a-f]{16,64}\b|\b1\d{9}\b|\b\d+:\d\d:\d\d\b"
    r'|(?<="duration_seconds":)[\d.]+|(?<="seconds_left":)\d+'
)
# Each is run in turn, as text and as JSON, with the exit code that it has both here and there.
READS = (
    ("rollout status sdk", 0),
    ("rollout status sdk --channel none", 2),
    ("rollout watch sdk 1.1.0", 0),
    ("pin list sdk", 0),
    ("block list sdk", 0),
    ("tenant list", 0),
    ("policy show", 0),
    ("why acme sdk", 0),
    ("why zeta sdk --environment staging", 0),
    ("who sdk@1.0.0", 0),
    ("history sdk", 0),
    ("history sdk stable --limit 2", 0),
    ("events sdk --since 3", 0),
    ("events --since 99999", 5),
    ("diff 2 9", 0),
    ("smoke show sdk", 2),
    ("smoke show sdk 1.1.0", 0),
    ("errors sdk 1.0.0", 0),
    ("provenance sdk 1.0.0", 0),
    ("provenance sdk 9.9.9", 2),
    ("retire sdk", 0),
    ("audit verify", 0),
    ("audit export", 0),
    ("plan rollout start sdk 1.1.0 --stages 50,100", 3),
    ("plan pin set zeta sdk 1.0.0", 0),
    ("plan block set sdk 1.0.0", 0),
    ("plan rollout pause sdk", 3),
)
CHANGES = (
    ("tenant set acme tier=enterprise region=eu", 0),
    ("tenant set zeta tier=free", 0),
    ("tenant clear nobody", 2),
    ("rollout pause sdk", 3),
    ("rollout start sdk 9.9.9", 2),
    ("rollout start sdk 1.1.0 --expect-revision 1", 5),
    ("rollout start sdk 1.1.0 --timeout 1h", 2),
    ("rollout start sdk 1.1.0 --stages 10,50,100 --reason why --idempotency-key one", 0),
    ("rollout start sdk 1.1.0 --stages 10,50,100 --reason why --idempotency-key one", 0),
    ("rollout start sdk 1.0.0 --stages 10,50,100 --reason why --idempotency-key one", 5),
    ("rollout start sdk 1.1.0", 3),
    ("rollout watch sdk --timeout 1s", 6),
    ("rollout pause sdk", 0),
    ("rollout resume sdk", 0),
    ("rollout promote sdk", 0),
    ("rollout promote sdk --wait --timeout 1s", 6),
    ("rollout abort sdk --reason enough", 0),
    ("rollout watch sdk 1.1.0", 7),
    ("rollout approve sdk 1.1.0", 3),
    ("plan rollout start sdk 1.1.0 --stages 100", 0),
    ("rollout start sdk 1.1.0 --stages 100", 0),
    ("rollout promote sdk --wait", 0),
    ("rollback sdk --reason errors", 0),
    ("pin set acme sdk 1.0.0 --reason tested", 0),
    ("pin set acme sdk none", 2),
    ("pin set zeta sdk ^1", 0),
    ("pin clear zeta sdk", 0),
    ("pin clear zeta sdk", 2),
    ("block set sdk 1.1.0 --reason leaks", 0),
    ("block clear sdk 1.1.0", 0),
    ("block set sdk 1.1.0 --reason leaks", 0),
    ("token create other --role viewer --expires 1d", 0),
    ("token rotate 0000000000000000", 2),
    ("token revoke 0000000000000000", 2),
    ("tenant clear zeta", 0),
)


class Worlds:
    """The same control plane twice: as a data folder, and as a server with a profile."""

    def __init__(self, here: Shell, there: Shell) -> None:
        self._here = here
        self._there = there

    def same(self, command: str, code: int) -> Ran:
        """What both say of it; it must be the same, with this exit code."""
        here, there = (self._masked(world.run(*command.split())) for world in (self._here, self._there))
        assert here == there, command
        assert here.code == code, (command, here)
        if code not in (0, 6, 7):  # a fault is one line
            assert here.out == ""
            assert here.err.startswith("headrace: ")
            assert here.err.count("\n") == 1
        return here

    def _masked(self, ran: Ran) -> Ran:
        return Ran(ran.code, *(_DIFFERS.sub("?", text) for text in (ran.out, ran.err)))


@pytest.fixture(scope="module")
def made(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A data folder to copy, and the secrets of an admin and of a viewer."""
    folder = tmp_path_factory.mktemp("remote")
    shutil.copytree(released_once / "data", folder / "data")
    grants = {role: Grant(roles=frozenset({role})) for role in (Role.ADMIN, Role.VIEWER)}
    names = {Role.ADMIN: "ci", Role.VIEWER: "looker"}
    return folder / "data", {role: make_token(folder / "data", names[role], grants[role]) for role in grants}


@pytest.fixture(scope="module")
def server(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """A server of a copy."""
    data = tmp_path_factory.mktemp("there") / "data"
    shutil.copytree(made[0], data)
    with api(data, "--changes", "1000") as process:
        yield process


@pytest.fixture(scope="module")
def profiled(server: ApiProcess, made: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of who has logged in there, as `prod` and as `looker`."""
    config = tmp_path_factory.mktemp("config")
    variables = {**plain(), "XDG_CONFIG_HOME": str(config)}
    for name, role in (("prod", Role.ADMIN), ("looker", Role.VIEWER)):
        result = log_in(variables, server.url, name, made[1][role])
        assert result.returncode == 0, result.stderr
    assert stat.S_IMODE((config / "headrace" / "profiles.toml").stat().st_mode) == 0o600
    return variables


def plain() -> dict[str, str]:
    """An environment that names no data folder and no actor."""
    return {**os.environ, "NO_COLOR": "1"}


def log_in(variables: dict[str, str], url: str, name: str, token: str) -> "subprocess.CompletedProcess[str]":
    arguments = [str(HEADRACE), "login", url, "--profile", name]
    return subprocess.run(arguments, env=variables, input=token, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def there(profiled: dict[str, str]) -> Iterator[Shell]:
    """A shell of who has chosen the profile of an admin."""
    with shell({**profiled, "HEADRACE_PROFILE": "prod"}) as opened:
        yield opened


@pytest.fixture(scope="module")
def worlds(made: Made, there: Shell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """Both, each with all changes made, one after the other."""
    data = tmp_path_factory.mktemp("here") / "data"
    shutil.copytree(made[0], data)
    with shell({**environment(data), "HEADRACE_ACTOR": ACTOR}) as here:
        both = Worlds(here, there)
        for command, code in CHANGES:
            both.same(command, code)
        yield both


@pytest.mark.parametrize(("command", "code"), READS)
def test_a_verb_says_the_same_of_a_data_folder_and_of_a_server(worlds: Worlds, command: str, code: int) -> None:
    verb, *rest = command.split(" ", 1)
    worlds.same(command, code)
    if verb == "plan":
        worlds.same(f"plan --json {rest[0]}", code)
    else:
        worlds.same(f"{command} --json", code)


def test_an_import_says_the_same(worlds: Worlds, tmp_path: Path) -> None:
    tenants = tmp_path / "tenants.txt"
    tenants.write_text("acme tier=enterprise\nzeta\n")
    worlds.same(f"tenant import {tenants}", 0)
    worlds.same("tenant list --json", 0)


def test_who_has_no_right_is_told_so(profiled: dict[str, str], server: ApiProcess) -> None:
    with shell({**profiled, "HEADRACE_PROFILE": "looker"}) as looker:
        assert looker.run("rollout", "status", "sdk").code == 0
        refused = looker.run("rollback", "sdk")
        assert (refused.code, refused.out, refused.err.count("\n")) == (4, "", 1)
        assert "needs the role" in refused.err
    unknown = {**profiled, "HEADRACE_SERVER": server.url, "HEADRACE_TOKEN": "hdr_none"}
    with shell(unknown) as stranger:
        assert stranger.run("policy", "show").code == 4
        assert stranger.run("audit", "refusals").code == 4


def test_what_is_not_of_the_right_form_is_a_fault_of_usage(there: Shell) -> None:
    assert there.run("rollout", "status", "Not/One").code == 2


def test_tokens_are_listed_with_when_they_were_used(there: Shell) -> None:
    listed = there.run("token", "list")
    assert listed.code == 0
    assert {"ci", "looker"} <= {line.split()[0] for line in listed.out.splitlines()}


def test_refusals_are_counted_there(there: Shell) -> None:
    assert there.run("audit", "refusals", "--json").code == 0


@pytest.mark.parametrize("verb", sorted(LOCAL))
def test_a_verb_of_a_data_folder_is_not_run_while_a_server_is_chosen(there: Shell, verb: str) -> None:
    more = {
        "backup": ("file",),
        "builders": ("list",),
        "export-static": ("folder",),
        "keys": ("list",),
        "restore": ("file",),
        "verify": ("sdk",),
    }
    ran = there.run(verb, *more.get(verb, ()))
    assert (ran.code, ran.out) == (2, ""), ran
    assert "on a data folder alone: leave HEADRACE_PROFILE" in ran.err, ran.err


@pytest.mark.parametrize("command", ["smoke run sdk", "notify list"])
def test_so_is_a_subverb(there: Shell, command: str) -> None:
    assert there.run(*command.split()).code == 2


@pytest.mark.parametrize(
    "options", ["--data elsewhere", "--database control.db", "--actor sam"], ids=lambda text: text.split()[0]
)
def test_an_option_that_would_be_without_effect_is_refused(there: Shell, options: str) -> None:
    ran = there.run("pin", "set", "acme", "sdk", "1.0.0", *options.split())
    assert (ran.code, ran.out) == (2, "")
    assert options.split()[0] in ran.err


def test_a_server_that_is_away_is_one_line(profiled: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with shell({**profiled, "HEADRACE_SERVER": url, "HEADRACE_TOKEN": "hdr_none"}) as lost:
        ran = lost.run("policy", "show")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1), ran
    assert ran.err.startswith("headrace: the server did not answer")


def test_who_logs_out_has_no_profile_any_more(
    profiled: dict[str, str], server: ApiProcess, tmp_path: Path
) -> None:
    own = {**plain(), "XDG_CONFIG_HOME": str(tmp_path)}
    shutil.copytree(Path(profiled["XDG_CONFIG_HOME"]), tmp_path, dirs_exist_ok=True)
    with shell(own) as opened:
        assert opened.run("logout", "prod").out == f"prod: {server.url} is forgotten\n"
        again = opened.run("logout", "prod")
        assert (again.code, "known are looker" in again.err) == (2, True)
    with shell({**own, "HEADRACE_PROFILE": "prod"}) as opened:
        assert opened.run("policy", "show").code == 2
    with shell({**own, "HEADRACE_PROFILE": "looker"}) as opened:
        assert opened.run("policy", "show").code == 0


@pytest.mark.parametrize(
    ("name", "token", "code"),
    [("prod", "", 2), ("prod", "two words", 2), ("No Name", "hdr_none", 2), ("prod", "hdr_none", 4)],
)
def test_a_login_that_fails_keeps_nothing(
    server: ApiProcess, tmp_path: Path, name: str, token: str, code: int
) -> None:
    result = log_in({**plain(), "XDG_CONFIG_HOME": str(tmp_path)}, server.url, name, token)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (code, "", 1), result.stderr
    assert list(tmp_path.iterdir()) == []
