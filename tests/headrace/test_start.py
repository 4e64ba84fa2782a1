"""How the command starts: what its help says without loading what it speaks of."""

import os
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

from headrace.cli import VERBS
from headrace.late import load_verb
from headrace.options import DEFAULT_CHANNEL, DEFAULT_ENVIRONMENT
from release.core.names import PRODUCTION, STABLE
from tests.support.cli import run
from tests.support.terminal import run_in_terminal

# All that a verb's help, TAB and a fault of usage may load beside Typer, rich and the standard library.
MAY_LOAD = {
    *("api", "api.core", "api.core.plain", "api.core.role", "beacons", "beacons.core", "beacons.core.limits"),
    *("bundles", "bundles.core", "bundles.core.errors", "bundles.core.limits", "bundles.core.names"),
    *("origin", "origin.core", "origin.core.limits"),
    *("headrace", "headrace.asking", "headrace.backup_options", "headrace.cli", "headrace.completion"),
    *("headrace.config_file", "headrace.doctor", "headrace.doctor.finding", "headrace.exits", "headrace.late"),
    *("headrace.options", "headrace.plan_options", "headrace.provenance_options", "headrace.reach"),
    *("headrace.smoke_options", "headrace.streams", "headrace.terminal", "headrace.toml_file", "headrace.values"),
    *("headrace.verbs", *(f"headrace.verbs.{verb.replace('-', '_')}" for verb in VERBS)),
    *("msgspec", "typing_extensions"),
}
# Of the standard library, what is slow to load.
SLOW = {"asyncio", "concurrent", "email", "http", "multiprocessing", "sqlite3", "ssl", "unittest", "zoneinfo"}
# What the whole command's help needs none of either.
OF_VERBS = {"headrace.asking", "headrace.options", "headrace.terminal", "headrace.verbs", "msgspec"}

OURS = {"api", "beacons", "bundles", "headrace", "origin", "release", "serving"}

# The console script, which names at its end all that was loaded.
_NAME_ALL = """
import atexit, sys
sys.argv[0] = "headrace"
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from headrace.cli import main
main()
"""


# The help of every verb and of what is below it, one after the other; of what is loaded, which was the first to.
_HELP_OF_ALL = """
import sys
from typer import Context
from typer.main import get_command
from headrace.cli import VERBS, app

def show(command, name, parent):
    context = Context(command, info_name=name, parent=parent)
    assert context.get_help()
    for below, each in getattr(command, "commands", {}).items():
        show(each, below, context)

root = Context(get_command(app), info_name="headrace")
known = set()
for verb in VERBS:
    show(root.command.get_command(root, verb), verb, root)
    print(verb, *sys.modules.keys() - known)
    known.update(sys.modules)
"""


def loaded_by(*arguments: str, code: int = 0, **variables: str) -> set[str]:
    """The modules that a run of the command loads."""
    result = python(_NAME_ALL, *arguments, **variables)
    assert result.returncode == code
    return set(result.stderr.splitlines()[-1].split())


def python(program: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """A run of the program by an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def typer_and_rich() -> frozenset[str]:
    """What the two load by themselves, which no command line of theirs does without."""
    program = "import sys, typer, rich, typer._click.decorators, typer._click._textwrap; print(*sys.modules)"
    return frozenset(python(program).stdout.split())


def too_many(loaded: set[str]) -> set[str]:
    """Those of the modules that only the work of a verb may load."""
    ours = {name for name in loaded if name.partition(".")[0] in OURS}
    theirs = {name.partition(".")[0] for name in loaded - ours - typer_and_rich()}
    return (ours | theirs - sys.stdlib_module_names | theirs & SLOW) - MAY_LOAD


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_whole_commands_help_and_version_load_no_verb(option: str) -> None:
    loaded = loaded_by(option)
    assert "typer.main" in loaded
    assert too_many(loaded) | loaded & OF_VERBS == set()


def test_a_completion_of_verbs_loads_none_of_them() -> None:
    loaded = loaded_by(_HEADRACE_COMPLETE="complete_bash", COMP_WORDS="headrace ", COMP_CWORD="1")
    assert "typer.completion" in loaded
    assert too_many(loaded) | loaded & OF_VERBS == set()


def test_no_verbs_help_loads_what_only_its_work_needs() -> None:
    lines = [line.split() for line in python(_HELP_OF_ALL).stdout.splitlines()]
    assert [verb for verb, *_ in lines] == [*VERBS]
    assert {verb: found for verb, *loaded in lines if (found := too_many(set(loaded)))} == {}


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("rollout start --help", 0),
        ("rollout", 2),
        ("rollout start", 2),
        ("why acme", 2),
        ("history sdk --bogus", 2),
        ("serve --bogus", 2),
    ],
)
def test_a_run_that_ends_with_help_or_a_fault_of_usage_loads_no_more(typed: str, code: int) -> None:
    assert too_many(loaded_by(*typed.split(), code=code)) == set()


@pytest.mark.parametrize("typed", ["rollout start --", "rollout ", "why acme --ch", "publish dist --"])
def test_tab_after_a_verb_loads_no_more(typed: str) -> None:
    place = str(len(typed.split(" ")))
    loaded = loaded_by(_HEADRACE_COMPLETE="complete_bash", COMP_WORDS=f"headrace {typed}", COMP_CWORD=place)
    assert "headrace.verbs" in loaded
    assert too_many(loaded) == set()


def test_the_defaults_of_options_are_the_names_that_releases_go_by() -> None:
    assert (DEFAULT_CHANNEL, DEFAULT_ENVIRONMENT) == (STABLE, PRODUCTION)


@pytest.mark.parametrize("verb", VERBS)
def test_what_the_whole_commands_help_says_of_a_verb_is_its_own_first_sentence(verb: str) -> None:
    assert load_verb(verb).short_help == VERBS[verb]


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    result = run(tmp_path, "--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{version('headrace')}\n", "")


@pytest.mark.parametrize("columns", [50, 80, 120])
@pytest.mark.parametrize("arguments", [(), ("rollout",), ("rollout", "start")], ids=" ".join)
def test_help_fits_the_terminal_and_cuts_nothing_off(
    tmp_path: Path, arguments: tuple[str, ...], columns: int
) -> None:
    shown = run_in_terminal(tmp_path, *arguments, "--help", columns=columns)
    lines = [
        line for line in shown.splitlines() if not line.startswith("    headrace ")
    ]  # examples are not broken
    assert max(len(line) for line in lines if " " in line.strip()) <= columns
    assert "..." not in shown.replace("[ARGS]...", "")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("why", os.fsdecode(b"acme\xff"), "sdk"), "is not a tenant id"),
        (("history", "sdk", "--limit", "0"), "Error: Invalid value for '--limit': "),
        (("history", "sdk", "--limit", "few"), "Error: Invalid value for '--limit': "),
        (("doctor", "--role", "judge"), "'judge' is not one of 'control', 'origin'"),
    ],
)
def test_values_that_are_none_of_their_options_are_faults_of_usage(
    tmp_path: Path, typed: tuple[str, ...], said: str
) -> None:
    result = run(tmp_path, *typed)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
