"""The help of every verb, as pages in docs/cli, with an example of each and the schema of its JSON."""

from pathlib import Path

import pytest

from headrace.cli import VERBS
from headrace.help_pages import pages

FOLDER = Path(__file__).parents[2] / "docs" / "cli"


def test_the_pages_are_as_the_program_makes_them() -> None:
    kept = {str(file.relative_to(FOLDER)): file.read_text() for file in FOLDER.rglob("*.*")}
    made = pages()
    stale = sorted(name for name in kept.keys() | made.keys() if kept.get(name) != made.get(name))
    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_has_an_example_of_it(verb: str) -> None:
    texts = pages()[f"{verb}.md"].split("```")[1::2]
    helps = [text for text in texts if "\nCommands:" not in text]
    assert helps
    for text in helps:
        command = text.split("Usage: ")[1].split(" [OPTIONS]")[0]
        examples = text.partition("\n  Example:\n")[2]
        assert f"    {command}" in examples, text


@pytest.mark.parametrize("columns", ["40", "200"])
def test_the_pages_are_the_same_wherever_they_are_made(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    before = pages()
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("HEADRACE_DATA", "elsewhere")
    assert pages() == before
