"""`headrace diff` and what `headrace publish` makes of the builds that clients hold."""

from pathlib import Path

import pytest

from tests.support.cli import fail, publish, release, run, succeed, write_build


@pytest.fixture
def data(released_data: Path) -> Path:
    """1.0.0 and 1.1.0 of `sdk`, the first one released."""
    return released_data


def test_publish_makes_deltas_against_what_the_channel_has_released(data: Path, tmp_path: Path) -> None:
    script = "".join(f"let a{number * 7919 % 10_007} = {number};\n" for number in range(600))
    for version in ("1.0.1", "1.0.2"):
        source = write_build(tmp_path / version, {"sdk.js": f"{script}let version = '{version}';"})
        succeed(data, "publish", str(source), "--product", "sdk", "--version", version)
    release(data, "1.0.1")
    source = write_build(tmp_path / "new", {"sdk.js": script})
    published = succeed(data, "publish", str(source), "--product", "sdk", "--version", "1.2.0", "--deltas", "2")
    (delta,) = published["artifacts"][0]["deltas"]
    assert delta["base"] == "1.0.1"
    release(data, "1.0.2")
    table = run(data, "publish", str(source), "--product", "sdk", "--version", "1.3.0").stdout
    assert "dcz from 1.0.2" in table
    for option, value in (("--deltas", "0"), ("--delta-budget", "0"), ("--channel", "next")):
        arguments = ["publish", str(source), "--product", "sdk", "--version", f"2.0.0-{option.strip('-')}"]
        assert succeed(data, *arguments, option, value)["artifacts"][0]["deltas"] == []


def test_diff_says_how_much_each_file_grew(data: Path, tmp_path: Path) -> None:
    compared = succeed(data, "diff", "sdk@1.0.0", "sdk@1.1.0")
    assert (compared["before"], compared["after"], compared["same"]) == ("sdk@1.0.0", "sdk@1.1.0", 1)
    assert [change["path"] for change in compared["changed"]] == ["lib/extra.mjs", "sdk.js"]
    for change in compared["changed"]:
        assert change["before"]["raw"] == change["after"]["raw"]
        assert 0 < change["delta"] <= change["after"]["raw"] + 60

    source = write_build(tmp_path / "next", {"sdk.js": "globalThis.sdk = 3;\n" * 500, "a|b.css": "a{}"})
    compared = succeed(data, "diff", "sdk@1.1.0", str(source))
    changes = {change["path"]: change for change in compared["changed"]}
    assert changes["data.json"]["after"] is None
    assert changes["a|b.css"]["before"] is None
    assert changes["sdk.js"]["after"]["raw"] == 500 * 20
    published = succeed(data, "publish", str(source), "--product", "sdk", "--version", "2.0.0")
    br = next(v["size"] for v in published["artifacts"][1]["variants"] if v["encoding"] == "br")
    assert changes["sdk.js"]["after"]["br"] == br

    markdown = run(data, "diff", "sdk@1.1.0", str(source), "--markdown").stdout
    assert "| file | raw |  | br |  | delta |\n|---|--:|--:|--:|--:|--:|\n" in markdown
    assert "| `a\\|b.css` | 3 | new | 3 |  | - |" in markdown
    assert "| `data.json` | - | gone | - |  | - |" in markdown
    assert "0 files differ, 3 are the same" in run(data, "diff", "sdk@1.0.0", "sdk@1.0.0").stdout


def test_diff_of_what_does_not_exist_is_told(data: Path) -> None:
    assert "there is no build sdk@9.9.9" in fail(data, "diff", "sdk@1.0.0", "sdk@9.9.9", code=2)
    assert "neither a file nor a build" in fail(data, "diff", "dist", "sdk@1.0.0", code=2)


def test_a_budget_that_is_passed_refuses_the_publish(data: Path, tmp_path: Path) -> None:
    source = write_build(tmp_path / "big", {"sdk.js": "".join(f"let a{n * 7919 % 10_007};" for n in range(2_000))})
    arguments = ["publish", str(source), "--product", "sdk", "--version", "3.0.0"]
    assert "over its budget of 1000" in fail(data, *arguments, "--budget", "*.js=1kB", code=3)
    assert "over its budget of 5% more" in fail(data, *arguments, "--budget", "sdk.js=+5%", code=3)
    assert "is no budget" in fail(data, *arguments, "--budget", "sdk.js", code=2)
    growth = [*arguments, "--budget", "sdk.js=+5%"]
    assert "over its budget of 5% more" in fail(data, *growth, "--deltas", "0", code=3)
    assert "channel stabel of sdk has no build" in fail(data, *growth, "--channel", "stabel", code=2)
    assert "there is no build" in fail(data, "verify", "sdk", "3.0.0", code=2)
    succeed(data, *arguments, "--budget", "*.js=1MB")


def test_a_growth_budget_that_is_not_measured_says_so(tmp_path: Path) -> None:
    data, source = tmp_path / "data", write_build(tmp_path / "dist", {"sdk.js": "let a;\n" * 50})

    def put(version: str, *budgets: str) -> list[dict[str, str]]:
        order = ["--product", "sdk", "--version", version]
        for budget in budgets:
            order += ["--budget", budget]
        return list(succeed(data, "publish", str(source), *order)["unmeasured"])

    ((first,), again) = put("1.0.0", "*.js=+5%", "*.js=1MB"), put("1.0.0", "*.js=+5%")
    assert (first["budget"], [first]) == ("*.js=+5%", again)
    assert first["why"].startswith("no build of sdk before this one is known to be released")
    release(data, "1.0.0")
    assert put("1.0.0", "*.js=+5%") == [first]
    assert put("1.1.0", "*.js=+5%") == []
    (source / "new.js").write_text("let b;")
    assert put("1.2.0", "*.js=+5%", "new.js=+1B") == [
        {"budget": "*.js=+5%", "why": "new.js is not in 1.0.0"},
        {"budget": "new.js=+1B", "why": "new.js is not in 1.0.0"},
    ]
    text = run(data, "publish", str(source), "--product", "sdk", "--version", "1.2.0", "--budget", "new.js=+1B")
    assert "the budget new.js=+1B was not measured: new.js is not in 1.0.0\n" in text.stdout


def test_a_build_that_exists_already_is_held_to_the_budgets_too(data: Path, tmp_path: Path) -> None:
    source = write_build(tmp_path / "big", {"sdk.js": "".join(f"let a{n * 7919 % 10_007};" for n in range(2_000))})
    arguments = ["publish", str(source), "--product", "sdk", "--version", "3.0.0"]
    succeed(data, *arguments)
    over = "sdk@3.0.0 is already published, but sdk.js has"
    assert over in fail(data, *arguments, "--budget", "*.js=1kB", code=3)
    assert over in fail(data, *arguments, "--budget", "sdk.js=+5%", code=3)
    release(data, "3.0.0")
    assert over in fail(data, *arguments, "--budget", "sdk.js=+5%", code=3)
    assert succeed(data, *arguments, "--budget", "sdk.js=1MB", "--budget", "sdk.js=+1MB")["unmeasured"] == []


def test_a_content_bundle_is_compared_by_its_whole_name(data: Path, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.0.1"):
        publish(data, tmp_path, version, product="@acme/menu")
    assert succeed(data, "diff", "@acme/menu@1.0.0", "@acme/menu@1.0.1")["same"] == 1
