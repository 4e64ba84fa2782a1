"""Archives as input: what is good comes out as it was, and nothing else comes out anywhere."""

import gzip
import io
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bundles.adapters import source_files, unpacking
from bundles.adapters.archive import unpacked
from bundles.core.errors import Invalid

FILES = {"dist/sdk.js": b"console.log(1);\n" * 20, "empty.txt": b"", "package.json": b"{}"}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the private folders are made: none of them, and nothing else, may be left."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def tar(members: dict[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda _: None) -> bytes:
    """A tar of these files, each one's header changed before it is written."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            change(info)
            archive.addfile(info, io.BytesIO(body) if info.isreg() else None)
    return buffer.getvalue()


def of_type(kind: bytes, link: str = "") -> bytes:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, link, 0

    return tar({"a.js": b""}, change)


def zipped(members: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] = lambda _: None) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            change(info)
            archive.writestr(info, body)
    return buffer.getvalue()


def contents(file: Path, *include: str) -> dict[str, bytes]:
    with unpacked(file, include) as source:
        return {path: source.read(path) for path in source.paths}


def write(folder: Path, data: bytes) -> Path:
    file = folder / "input"
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("wrap", [tar, lambda files: gzip.compress(tar(files)), zipped])
def test_files_come_out_as_they_were(tmp_path: Path, wrap: Callable[[dict[str, bytes]], bytes]) -> None:
    file = write(tmp_path, wrap(FILES))
    assert contents(file) == FILES
    assert contents(file, "dist") == {"dist/sdk.js": FILES["dist/sdk.js"]}
    with pytest.raises(Invalid, match="no such file or folder"):
        contents(file, "lib")


def test_an_npm_package_is_taken_without_its_folder(tmp_path: Path) -> None:
    package = {f"package/{name}": body for name, body in FILES.items()}
    assert contents(write(tmp_path, gzip.compress(tar(package)))) == FILES
    other = {f"build/{name}": body for name, body in FILES.items() if name != "package.json"}
    assert contents(write(tmp_path, tar(other))) == other


def test_folders_and_a_leading_dot_do_no_harm(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in (".", "./lib"):
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
        file = tarfile.TarInfo("./lib/a.js")
        file.size = 1
        archive.addfile(file, io.BytesIO(b"x"))
    assert contents(write(tmp_path, buffer.getvalue())) == {"lib/a.js": b"x"}
    assert contents(write(tmp_path, zipped({"lib/": b"", "lib/a.js": b"x"}))) == {"lib/a.js": b"x"}


def set_mode(mode: int) -> Callable[[zipfile.ZipInfo], None]:
    def change(info: zipfile.ZipInfo) -> None:
        info.create_system, info.external_attr = 3, mode << 16

    return change


def set_method(method: int) -> Callable[[zipfile.ZipInfo], None]:
    def change(info: zipfile.ZipInfo) -> None:
        info.compress_type = method

    return change


def twice() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("a.js"), io.BytesIO())
    return buffer.getvalue()


def encrypted() -> bytes:
    body = bytearray(zipped({"a.js": b"x"}))
    body[6] |= 1
    body[body.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(body)


def cut_at_nul() -> bytes:
    return zipped({"a.js_b": b"x"}).replace(b"a.js_b", b"a.js\0b")


def long_header() -> bytes:
    """An extended header that claims two gigabytes, which a reader would take into memory whole."""
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.XHDTYPE, 2 << 30
    return info.tobuf() + bytes(2_048)


def zip64_locator() -> bytes:
    body = zipped({"a.js": b"x"})
    end = body.rindex(b"PK\x05\x06")
    return body[:end] + b"PK\x06\x07" + bytes(16) + body[end:]


def long_list() -> bytes:
    body = bytearray(zipped({"a.js": b"x"}))
    struct.pack_into("<L", body, body.rindex(b"PK\x05\x06") + 12, 17 << 20)
    return bytes(body)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "tar traversal": (lambda: tar({"../../evil.js": b"x"}), "segment"),
    "tar absolute": (lambda: tar({"/etc/evil": b"x"}), "absolute"),
    "tar inner traversal": (lambda: tar({"a/../../b": b"x"}), "segment"),
    "tar backslash": (lambda: tar({"..\\evil.js": b"x"}), "backslash"),
    "tar control character": (lambda: tar({"a\nb.js": b"x"}), "control"),
    "tar not UTF-8": (lambda: tar({"a\udcff.js": b"x"}), "UTF-8"),
    "tar symbolic link": (lambda: of_type(tarfile.SYMTYPE, "/etc/passwd"), "a symbolic link"),
    "tar hard link": (lambda: of_type(tarfile.LNKTYPE, "b.js"), "a hard link"),
    "tar device": (lambda: of_type(tarfile.CHRTYPE), "a device"),
    "tar block device": (lambda: of_type(tarfile.BLKTYPE), "a device"),
    "tar pipe": (lambda: of_type(tarfile.FIFOTYPE), "a pipe"),
    "tar sparse": (lambda: of_type(tarfile.GNUTYPE_SPARSE), "sparse"),
    "tar folder outside": (lambda: tar({"..": b""}, lambda i: setattr(i, "type", tarfile.DIRTYPE)), "segment"),
    "tar duplicate": (twice, "twice"),
    "tar case collision": (lambda: tar({"A.js": b"", "a.js": b""}), "differ by case"),
    "tar accent collision": (lambda: tar({"\u00e9.js": b"", "e\u0301.js": b""}), "how a letter is encoded"),
    "tar file and folder": (lambda: tar({"a": b"", "A/b.js": b""}), "both a file and the folder"),
    "tar header": (long_header, "header of"),
    "tar empty": (lambda: tar({}), "neither a folder nor"),
    "zip no name": (lambda: zipped({"": b"x"}), "it is empty"),
    "zip traversal": (lambda: zipped({"../evil.js": b"x"}), "segment"),
    "zip absolute": (lambda: zipped({"/evil.js": b"x"}), "absolute"),
    "zip backslash": (lambda: zipped({"a.js": b"x"}).replace(b"a.js", b"a\\js"), "backslash"),
    "zip cut name": (cut_at_nul, "control"),
    "zip symbolic link": (lambda: zipped({"a.js": b"/etc/passwd"}, set_mode(0o120777)), "a link or a device"),
    "zip device": (lambda: zipped({"a.js": b""}, set_mode(0o020666)), "a link or a device"),
    "zip encrypted": (encrypted, "encrypted"),
    "zip method": (lambda: zipped({"a.js": b"x"}, set_method(zipfile.ZIP_BZIP2)), "method 12"),
    "zip case collision": (lambda: zipped({"A.js": b"", "a.js": b""}), "differ by case"),
    "zip64": (zip64_locator, "zip64"),
    "zip list": (long_list, "list of members of"),
    "zip empty": (lambda: zipped({}), "no files"),
    "nothing": (lambda: b"", "neither a folder nor"),
    "text": (lambda: b"console.log(1)\n" * 100, "neither a folder nor"),
    "gzip of text": (lambda: gzip.compress(b"console.log(1)"), "damaged|no files"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_may_not_be_in_a_build_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    make, why = HOSTILE[kind]
    with pytest.raises(Invalid, match=why):
        contents(write(tmp_path, make()))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_a_name_twice_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.js", "1")
        archive.writestr("a.js", "2")
    with pytest.raises(Invalid, match="twice"):
        contents(write(tmp_path, buffer.getvalue()))


@pytest.mark.parametrize("wrap", [tar, lambda files: gzip.compress(tar(files)), zipped])
def test_an_archive_that_is_cut_off_is_refused_or_whole(
    tmp_path: Path, wrap: Callable[[dict[str, bytes]], bytes]
) -> None:
    body = wrap(FILES)
    refused = 0
    for length in range(0, len(body), max(1, len(body) // 60)):
        try:
            found = contents(write(tmp_path, body[:length]))
        except Invalid:
            refused += 1
        else:
            assert found.items() <= FILES.items()
    assert refused > 10


@example(name="0\x00", body=b"", in_zip=False)
@given(st.text(max_size=30), st.binary(max_size=50), st.booleans())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_comes_out_as_it_is_or_is_refused(tmp_path: Path, name: str, body: bytes, in_zip: bool) -> None:
    name = name.partition("\0")[0]  # neither kind of archive can hold more of it
    try:
        data = zipped({name: body}) if in_zip else tar({name: body})
    except (ValueError, UnicodeError):
        return
    before = sorted(tmp_path.rglob("*"))
    try:
        found = contents(write(tmp_path, data))
    except Invalid:
        pass
    else:
        assert found in ({name.removeprefix("./"): body}, {name: body})
    assert sorted(path for path in tmp_path.rglob("*") if path.name != "input") == [
        path for path in before if path.name != "input"
    ]


@given(st.binary(max_size=600), st.sampled_from([b"\x1f\x8b\x08\x00", b"PK\x03\x04", b"PK\x05\x06", b""]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise_is_refused(tmp_path: Path, noise: bytes, magic: bytes) -> None:
    with pytest.raises(Invalid):
        contents(write(tmp_path, magic + noise))


def test_the_limits_hold_for_bytes_that_are_found_and_not_only_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MAX_ARTIFACT_BYTES", 1_000)
    monkeypatch.setattr(unpacking, "MAX_BUILD_BYTES", 1_500)
    for wrap in (tar, zipped):
        with pytest.raises(Invalid, match="the most an artifact may have"):
            contents(write(tmp_path, wrap({"a.js": bytes(1_001)})))
        with pytest.raises(Invalid, match="the most that a build may have"):
            contents(write(tmp_path, wrap({"a.js": bytes(800), "b.js": bytes(800)})))
    assert contents(write(tmp_path, zipped({"a.js": bytes(1_000)}))) == {"a.js": bytes(1_000)}
    monkeypatch.setattr(source_files, "MAX_BUILD_BYTES", 999)
    with pytest.raises(Invalid, match="the most that a build may have is 999"):
        contents(write(tmp_path, tar({"a.js": bytes(1_000)})))


def test_no_more_members_than_the_limit_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_ARTIFACTS", 50)
    many = {f"{number}.js": b"" for number in range(51)}
    for wrap in (tar, zipped):
        with pytest.raises(Invalid, match="more than 50 members"):
            contents(write(tmp_path, wrap(many)))
    many.pop("0.js")
    assert len(contents(write(tmp_path, zipped(many)))) == 50


def test_a_bomb_takes_neither_memory_nor_the_disk(tmp_path: Path) -> None:
    """A 500 MB file of zeros in half a megabyte."""
    info = tarfile.TarInfo("zeros.js")
    info.size = 500_000_000
    file = tmp_path / "bomb.tgz"
    with gzip.open(file, "wb", compresslevel=1) as archive:
        archive.write(info.tobuf())
        for _ in range(500):
            archive.write(bytes(1_000_000))
    script = (
        "import re, sys; from pathlib import Path; from bundles.adapters.archive import unpacked\n"
        "try:\n    unpacked(Path(sys.argv[1])).__enter__()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1])"
    )
    told, peak = subprocess.run(
        [sys.executable, "-c", script, file], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert told.startswith("Invalid 'zeros.js' is larger than")
    assert int(peak) < 200_000  # kB
