"""Which verb a role may run against a server, is as the one table of roles has it: every verb, every role."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from api.core.operation import route_of
from api.core.role import Role
from headrace.asks import ASKS, roles_of
from headrace.exits import Exit
from headrace.late import LOCAL
from tests.support.api import make_tokens
from tests.support.cli import leaves, write_build
from tests.support.processes import ApiProcess, api
from tests.support.shell import Shell, shell

COMMANDS = {
    "apply": "apply {folder}/rules.toml",
    "audit export": "audit export",
    "audit refusals": "audit refusals",
    "audit verify": "audit verify",
    "block clear": "block clear sdk 1.1.0",
    "block list": "block list sdk",
    "block set": "block set sdk 1.1.0",
    "diff": "diff 1 2",
    "errors": "errors sdk 1.0.0",
    "events": "events",
    "history": "history sdk",
    "person list": "person list",
    "person remove": "person remove ada@example.com",
    "person set": "person set ada@example.com --role viewer",
    "pin clear": "pin clear globex sdk",
    "pin list": "pin list sdk",
    "pin set": "pin set globex sdk 1.0.0",
    "policy show": "policy show",
    "provenance": "provenance sdk 1.0.0",
    "publish": "publish {folder}/dist --product sdk --version 3.0.0",
    "publish-batch": "publish-batch {folder}/list.jsonl",
    "publisher list": "publisher list",
    "publisher remove": "publisher remove none",
    "retire": "retire sdk",
    "rollback": "rollback sdk",
    "rollout abort": "rollout abort sdk",
    "rollout approve": "rollout approve sdk 1.1.0",
    "rollout pause": "rollout pause sdk",
    "rollout promote": "rollout promote sdk",
    "rollout resume": "rollout resume sdk",
    "rollout start": "rollout start sdk 1.1.0",
    "rollout status": "rollout status sdk",
    "rollout watch": "rollout watch sdk --timeout 1s",
    "smoke show": "smoke show sdk 1.1.0",
    "tenant clear": "tenant clear globex",
    "tenant import": "tenant import {folder}/tenants.txt",
    "tenant list": "tenant list",
    "tenant set": "tenant set globex tier=free",
    "token create": "token create other --role viewer",
    "token list": "token list",
    "token revoke": "token revoke 0123456789abcdef",
    "token rotate": "token rotate 0123456789abcdef",
    "who": "who sdk@1.0.0",
    "why": "why globex sdk",
}
# A customer may ask for what is its own alone, and these ask for another tenant's.
OF_ANOTHER = {"pin clear", "pin set", "why"}
_ASKED = re.compile(r'^headrace_api_requests_total\{operation="(\w+)",status="\d+"\} ([\d.]+)$', re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the commands name."""
    folder = tmp_path_factory.mktemp("asks")
    write_build(folder / "dist", {"sdk.js": "globalThis.sdk = 3;\n"})
    (folder / "list.jsonl").write_text('{"product": "sdk", "version": "3.1.0", "files": "dist"}\n')
    (folder / "rules.toml").write_text('[[rollout]]\nstages = "100"\n')
    (folder / "tenants.txt").write_text("globex tier=free\n")
    return folder


@pytest.fixture(scope="module")
def running(released_once: Path, folder: Path) -> Iterator[tuple[ApiProcess, dict[Role, Shell]]]:
    """A server, and a shell of each role that has chosen it."""
    shutil.copytree(released_once / "data", folder / "data")
    secrets = make_tokens(folder / "data")
    with api(folder / "data", "--changes", "1000") as server, ExitStack() as stack:
        plain = {**os.environ, "NO_COLOR": "1", "XDG_CONFIG_HOME": str(folder), "HEADRACE_SERVER": server.url}
        shells = {
            role: stack.enter_context(shell({**plain, "HEADRACE_TOKEN": secret}))
            for role, secret in secrets.items()
        }
        yield server, shells


def asked_of(server: ApiProcess) -> dict[str, float]:
    """How often each operation was asked for, be it refused or not."""
    counts: dict[str, float] = {}
    for operation, count in _ASKED.findall(httpx.get(f"{server.probes}/metrics").text):
        counts[operation] = counts.get(operation, 0) + float(count)
    return counts


def test_every_verb_asks_or_is_known_not_to() -> None:
    assert COMMANDS.keys() == ASKS.keys()
    of_a_server = {verb for verb in leaves() if verb.split()[0] not in LOCAL}
    assert of_a_server - ASKS.keys() == {
        *("plan", "smoke run", "notify list", "notify test", "completion", "demo", "login", "logout")
    }


@pytest.mark.parametrize("verb", COMMANDS)
def test_a_verb_is_for_the_roles_of_what_it_asks_for(
    running: tuple[ApiProcess, dict[Role, Shell]], folder: Path, verb: str
) -> None:
    server, shells = running
    names = [route_of(operation).name for operation in ASKS[verb]]
    may = {role for role in roles_of(verb) if role is not Role.CUSTOMER or verb not in OF_ANOTHER}
    for role, at in shells.items():
        before = asked_of(server)
        ran = at.run(*COMMANDS[verb].format(folder=folder).split())
        asked = {name for name, count in asked_of(server).items() if count != before.get(name, 0)}
        assert names[0] in asked, ran.err
        assert asked <= set(names)
        if verb == "publish-batch":  # what each build came to is told on a line
            assert ("needs the role" in ran.out) == (role not in may), ran
        else:
            assert (ran.code == Exit.NOT_ALLOWED) == (role not in may), ran
