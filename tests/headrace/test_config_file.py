"""`serve --config`: the options of a verb in a file."""

from pathlib import Path

import httpx
import pytest

from tests.support.cli import fail
from tests.support.processes import origin


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cache-mib = \n", "is not TOML"),
        ("cache_mib = 5\n", "no option 'cache_mib'; known are"),
        ("config = 'other.toml'\n", "no option 'config'"),
        ("cache-mib = 1.5\n", "origin.toml: cache-mib: "),
        ("cache-mib = 0\n", "origin.toml: cache-mib: "),
        ('port = "abc"\n', "origin.toml: port: "),
        ("reload-config = true\n", "no option 'reload-config'"),
        ("cache-mib = true\n", "cache-mib is a number or a text in quotes"),
        ("[serve]\nport = 1\n", "no option 'serve'"),
        ("port = [1]\n", "port is a number"),
        ("fast-lane = 1\n", "fast-lane is true or false"),
        ("# " + 70_000 * "x", "more than 65536 bytes"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(released_data: Path, tmp_path: Path, text: str, told: str) -> None:
    config = tmp_path / "origin.toml"
    config.write_text(text)
    message = fail(released_data, "serve", "--config", str(config), code=2)
    assert told in message
    assert str(config) in message


def test_a_file_that_is_not_there_is_named(released_data: Path, tmp_path: Path) -> None:
    assert "can't read" in fail(released_data, "serve", "--config", str(tmp_path / "none.toml"), code=2)


def test_a_rule_holds_for_the_files_options_too(released_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "origin.toml"
    config.write_text('host = "0.0.0.0"\n')
    assert "go round the edge" in fail(released_data, "serve", "--config", str(config), code=3)


def test_options_of_every_kind_are_taken(released_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "origin.toml"
    config.write_text('head-seconds = 2.5\ncache-mib = 16\nfast-lane = false\nhost = "127.0.0.1"\n')
    with origin(released_data, "--config", str(config)) as process:
        for _ in range(3):
            assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200
        assert process.count("headrace_origin_answers_sent_again_total") == 0


def test_the_command_line_wins_over_the_file(released_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "origin.toml"
    config.write_text('host = "0.0.0.0"\nport = 1\n')
    with origin(released_data, "--config", str(config), "--host", "127.0.0.1") as process:
        assert process.url.startswith("http://127.0.0.1:")
