"""What `headrace publish` takes, leaves out and refuses."""

import io
import tarfile
from pathlib import Path

from tests.support.cli import fail, run, succeed, write_build

SECRET = "sk" + "_live_" + "a1" * 12


def publish(data: Path, files: Path, version: str, *options: str) -> list[str]:
    published = succeed(data, "publish", str(files), "--product", "sdk", "--version", version, *options)
    return [artifact["path"] for artifact in published["artifacts"]]


def test_an_npm_tarball_is_published_as_the_folder_it_was_made_of(tmp_path: Path) -> None:
    data, tarball = tmp_path / "data", tmp_path / "sdk-1.0.0.tgz"
    with tarfile.open(tarball, "w:gz") as archive:
        for name, body in (("package/package.json", b"{}"), ("package/dist/sdk.js", b"let a;\n" * 50)):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    assert publish(data, tarball, "1.0.0") == ["dist/sdk.js", "package.json"]
    folder = write_build(tmp_path / "dist", {"package.json": "{}", "dist/sdk.js": "let a;\n" * 50})
    same = succeed(data, "publish", str(folder), "--product", "sdk", "--version", "1.0.0")
    assert same["created"] is False
    assert publish(data, tarball, "1.0.1", "--include", "dist") == ["dist/sdk.js"]
    tarball.write_bytes(tarball.read_bytes()[:100])
    assert "is damaged" in fail(data, "publish", str(tarball), "--product", "sdk", "--version", "2.0.0", code=2)
    missing = fail(data, "publish", str(tmp_path / "gone"), "--product", "sdk", "--version", "2.0.0", code=2)
    assert "is neither a folder nor an archive" in missing


def test_source_maps_are_published_only_when_asked_for(tmp_path: Path) -> None:
    data = tmp_path / "data"
    dist = write_build(
        tmp_path / "dist", {"sdk.js": "let a;\n//# sourceMappingURL=sdk.js.map", "sdk.js.map": "{}"}
    )
    assert publish(data, dist, "1.0.0") == ["sdk.js"]
    assert publish(data, dist, "1.0.1", "--source-maps") == ["sdk.js", "sdk.js.map"]
    write_build(dist, {"sdk.js": "let a;\n//# sourceMappingURL=data:application/json;base64,e30="})
    refused = fail(data, "publish", str(dist), "--product", "sdk", "--version", "1.0.2", code=3)
    assert "a source map, which holds your sources" in refused
    assert publish(data, dist, "1.0.2", "--source-maps") == ["sdk.js", "sdk.js.map"]


def test_source_maps_under_other_names_stay_out(tmp_path: Path) -> None:
    data = tmp_path / "data"
    source_map = '{"version":3,"sources":["a.ts"],"mappings":"AAAA"}'
    dist = write_build(tmp_path / "dist", {"sdk.js": "let a;", "world.map.json": '{"version":3}'})
    write_build(dist, dict.fromkeys(("sdk.js.map", "sdk.js.map.gz", "sdk.js.MAP.br", "sdk.css.map.zst"), "x"))
    assert publish(data, dist, "1.0.0") == ["sdk.js", "world.map.json"]
    write_build(dist, {"sdk.js.map.json": source_map, "debug/sdk.sourcemap": source_map})
    arguments = ["publish", str(dist), "--product", "sdk", "--version", "1.0.1"]
    refused = fail(data, *arguments, code=3)
    assert "'debug/sdk.sourcemap' (a source map, which holds your sources; --source-maps publishes it)" in refused
    assert "'sdk.js.map.json' (a source map" in refused
    allowed = ["--allow-secret", "debug/sdk.sourcemap", "--allow-secret", "sdk.js.map.json"]
    assert len(publish(data, dist, "1.0.1", *allowed)) == 4
    assert len(publish(data, dist, "1.0.2", "--source-maps")) == 8


def test_a_secret_is_refused_before_anything_is_stored_and_is_never_shown(tmp_path: Path) -> None:
    data = tmp_path / "data"
    dist = write_build(
        tmp_path / "dist", {"sdk.js": f"let a;\nlet key = '{SECRET}';", ".env": "KEY=1", "a.css": "a{}"}
    )
    arguments = ["publish", str(dist), "--product", "sdk", "--version", "1.0.0"]
    refused = fail(data, *arguments, code=3)
    assert "2 secrets" in refused
    assert "'sdk.js' line 2 (Stripe key)" in refused
    assert "'.env' (a file of secrets by its name)" in refused
    assert SECRET not in refused
    assert not [path for path in (data / "store").rglob("*") if path.name != ".lock"]
    assert "1 secrets" in fail(data, *arguments, "--allow-secret", ".env", code=3)
    assert "has no such file" in fail(data, *arguments, "--allow-secret", "gone.js", code=2)
    assert len(publish(data, dist, "1.0.0", "--allow-secret", ".env", "--allow-secret", "sdk.js")) == 3


def test_a_script_that_only_makes_source_maps_is_no_secret_and_one_that_has_one_may_be_allowed(
    tmp_path: Path,
) -> None:
    order = ["--product", "sdk", "--version"]
    maker = write_build(
        tmp_path / "maker", {"css.js": 'x="/*# sourceMappingURL=data:application/json;base64,".concat(b)'}
    )
    succeed(tmp_path / "data", "publish", str(maker), *order, "1.0.0")
    mapped = write_build(
        tmp_path / "mapped", {"a.js": "a;\n//# sourceMappingURL=data:application/json;base64,e30="}
    )
    fail(tmp_path / "data", "publish", str(mapped), *order, "1.1.0", code=3)
    succeed(tmp_path / "data", "publish", str(mapped), *order, "1.1.0", "--allow-secret", "a.js")


def test_names_are_shown_as_they_are_and_style_nothing(tmp_path: Path) -> None:
    dist = write_build(tmp_path / "dist", {"[id].js": "1", "[/x].js": "2", "x:cat:.js": "3"})
    result = run(tmp_path / "data", "publish", str(dist), "--product", "sdk", "--version", "1.0.0")
    assert result.returncode == 0, result.stderr
    for name in ("[id].js", "[/x].js", "x:cat:.js"):
        assert name in result.stdout


def test_a_name_that_the_system_can_not_take_is_told_in_one_line(tmp_path: Path) -> None:
    line = fail(tmp_path / "data", "publish", "x" * 300, "--product", "sdk", "--version", "1.0.0", code=1)
    assert "File name too long" in line
