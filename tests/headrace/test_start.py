"""How the command starts: what its help says without loading what it speaks of."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from headrace.cli import VERBS
from headrace.late import load_verb
from tests.support.cli import run
from tests.support.terminal import run_in_terminal

# What only work needs, of what is slow to load; the first of each would bring the others with it.
OF_WORK = {
    *("aiobotocore", "alembic", "asyncpg", "httpx", "icalendar", "joserfc", "prometheus_client", "sqlalchemy"),
    *("starlette", "structlog", "uvicorn", "uvloop", "watchfiles"),
    *("pydantic", "rich.markdown", "typer.rich_utils"),  # Typer's, to read arguments and to draw
}
# What verbs that ask for operations need none of either: their answers are described without the use cases.
OF_USE_CASES = {"cryptography", "release.change", "zoneinfo"}
ASKING = {
    *("apply", "audit", "block", "events", "history", "pin", "policy", "retire", "rollback"),
    *("rollout", "token", "who", "why"),
}
# What the whole command's help needs none of either.
OF_VERBS = {*OF_WORK, "anyio", "asyncio", "cryptography", "headrace.verbs", "msgspec", "rich.console", "zstandard"}


# The console script, which names at its end all that was loaded.
_NAME_ALL = """
import atexit, sys
sys.argv[0] = "headrace"
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from headrace.cli import main
main()
"""


def loaded_by(*arguments: str, **variables: str) -> set[str]:
    """The modules that a run of the command loads."""
    result = subprocess.run(
        [sys.executable, "-c", _NAME_ALL, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout
    return set(result.stderr.split())


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_whole_commands_help_and_version_load_no_verb(option: str) -> None:
    loaded = loaded_by(option)
    assert "typer.main" in loaded
    assert loaded & OF_VERBS == set()


def test_a_completion_of_verbs_loads_none_of_them() -> None:
    loaded = loaded_by(_HEADRACE_COMPLETE="complete_bash", COMP_WORDS="headrace ", COMP_CWORD="1")
    assert "typer.completion" in loaded
    assert loaded & OF_VERBS == set()


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_help_loads_nothing_that_only_its_work_needs(verb: str) -> None:
    loaded = loaded_by(verb, "--help")
    assert f"headrace.verbs.{verb.replace('-', '_')}" in loaded
    assert loaded & (OF_WORK | OF_USE_CASES if verb in ASKING else OF_WORK) == set()


def test_the_help_of_a_subverb_loads_no_more() -> None:
    assert loaded_by("rollout", "start", "--help") & OF_WORK == set()


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
