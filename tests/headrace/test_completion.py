"""TAB in a real bash, and by the protocols of the other shells."""

import os
import subprocess
from pathlib import Path

import pytest

from headrace.cli import VERBS
from tests.support.cli import HEADRACE, run, succeed

# As bash itself does at TAB: the function that `complete -F` has registered is called with the words as they are.
_PRESS_TAB = """
source <(headrace completion bash)
registered=$(complete -p headrace); function=${registered#*-F }; function=${function%% *}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
$function headrace "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def press_tab(*words: str) -> set[str]:
    """What bash proposes for the last of the words."""
    path = f"{HEADRACE.parent}:{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "--norc", "-c", _PRESS_TAB, "bash", "headrace", *words],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    return set(result.stdout.split())


def test_bash_completes_verbs_subverbs_and_options() -> None:
    assert press_tab("") == set(VERBS)
    assert press_tab("ro") == {"rollout", "rollback"}
    assert press_tab("rollout", "p") == {"promote", "pause"}
    assert press_tab("rollout", "start", "sdk", "--smoke-b") == {"--smoke-browser"}
    assert press_tab("completion", "") == {"bash", "zsh", "fish"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_complete_by_their_scripts_protocol(tmp_path: Path, shell: str) -> None:
    script = run(tmp_path, "completion", shell).stdout
    assert f"_HEADRACE_COMPLETE=complete_{shell}" in script
    assert "_TYPER_COMPLETE_ARGS" in script
    asked = {"_HEADRACE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "headrace pin s"}
    result = subprocess.run(
        [HEADRACE],
        env={**os.environ, **asked, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "set" in result.stdout
    assert "clear" not in result.stdout


def test_the_script_as_json_and_a_shell_that_is_none(tmp_path: Path) -> None:
    assert succeed(tmp_path, "completion", "bash")["shell"] == "bash"
    refused = run(tmp_path, "completion", "tcsh")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "zsh" in refused.stderr


def test_nothing_is_written_into_the_users_files_and_groups_are_named_in_the_help(tmp_path: Path) -> None:
    shown = run(tmp_path, "--help").stdout
    assert "--install-completion" not in shown
    for verb in VERBS:
        assert f" {verb} " in shown
