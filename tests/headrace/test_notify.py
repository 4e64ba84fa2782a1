"""Notifications from the command line and by a running controller: real processes, real sockets."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundles.core.errors import Invalid
from headrace.notify_file import read_notify_file
from tests.support.cli import fail, publish, run, succeed
from tests.support.processes import PATIENCE_SECONDS, Process, controller
from tests.support.service import Service, hang, say, serving

DOCS = Path(__file__).parents[2] / "docs" / "notifications.md"
SECRET = "a secret that both of them know"
EMAIL = 'name = "ops"\nkind = "email"\nhost = "mx"\nfrom = "a@b.example"\nto = ["a@b.example"]\n'


@pytest.fixture
def service() -> Service:
    return Service(say(200, b""))


@pytest.fixture
def url(service: Service) -> Iterator[str]:
    with serving(service) as url:
        yield f"{url}/check?key=private"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a published build."""
    publish(tmp_path / "data", tmp_path, "1.0.0")
    return tmp_path / "data"


def write(folder: Path, *receivers: str, mode: int = 0o600) -> Path:
    file = folder / "receivers.toml"
    file.write_text("\n".join(f"[[receiver]]\n{each}" for each in receivers))
    file.chmod(mode)
    return file


def webhook(name: str, url: str, more: str = "") -> str:
    return f'name = "{name}"\nkind = "webhook"\nurl = "{url}"\nsecret = "{SECRET}"\n{more}\n'


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kinds(service: Service) -> list[str]:
    return [json.loads(body)["kind"] for _, _, body in service.asked]


def test_a_trial_says_what_came_back(tmp_path: Path, service: Service, url: str) -> None:
    file = str(write(tmp_path, webhook("ops", url), f'name = "chat"\nkind = "slack"\nurl = "{url}"'))
    assert succeed(tmp_path, "notify", "test", "ops", "--notify", file) == {
        "receiver": "ops",
        "answer": "the webhook at 127.0.0.1 answered 200",
    }
    result = run(tmp_path, "notify", "test", "chat", "--notify", file)
    assert result.stdout == "chat: Slack at 127.0.0.1 answered 200\n"
    assert json.loads(service.asked[0][2])["kind"] == "trial"
    service.answer = say(403, b"private")
    line = fail(tmp_path, "notify", "test", "chat", "--notify", file, code=1)
    assert line == "headrace: Slack at 127.0.0.1 answered 403"
    line = fail(tmp_path, "notify", "test", "pager", "--notify", file, code=2)
    assert line.endswith("has no receiver 'pager'; it has ops, chat")
    assert "name the file of receivers" in fail(tmp_path, "notify", "test", "ops", code=2)


@pytest.mark.parametrize(
    ("receiver", "fault"),
    [
        (webhook("ops", "https://a.example/", "foo = 1"), "unknown field `foo` - at `$.receiver[0]`"),
        (webhook("ops", "https://a.example/", 'severity = "high"'), "`$.receiver[0].severity`"),
        (webhook("ops", "https://u:private@a.example/"), "no user, password or fragment"),
        (webhook("ops", "ftp://a.example/"), "the receiver ops is an http or https URL"),
        (webhook("Ops!", "https://a.example/"), "'Ops!' is not a receiver's name"),
        (EMAIL + "[[receiver]]\n" + EMAIL, "two receivers have the name ops"),
        ('name = "ops"\nkind = "irc"', "Invalid value 'irc' - at `$.receiver[0].kind`"),
        ('name = "ops"\nkind = "slack"', "missing required field `url` - at `$.receiver[0]`"),
        ('name = "ops"\nkind = "slack"\nurl = "http://hooks.slack.com/private"', "ops is an https URL"),
        ('name = "ops"\nkind = "webhook"\nurl = "https://a.example/"\nsecret = "private"', "at least 16 bytes"),
        ('name = "ops"\nkind = "pagerduty"\nrouting_key = "private key"', "letters and digits"),
        (EMAIL + 'encryption = "none"\nusername = "sam"\npassword = "private"', "its password in the clear"),
        (EMAIL + 'username = "sam"', "a username and a password, or neither"),
        (EMAIL.replace('to = ["', 'to = ["a\\r\\nBcc: '), "is not an address"),
        (EMAIL + "port = 0", "1 to 65535"),
        ("name = ", "is not TOML"),
    ],
)
def test_mistakes_in_the_file_are_named_with_their_place_and_no_secrets(
    tmp_path: Path, receiver: str, fault: str
) -> None:
    file = write(tmp_path, receiver)
    with pytest.raises(Invalid) as raised:
        read_notify_file(file)
    message = str(raised.value)
    assert fault in message
    assert message.startswith(str(file))
    assert SECRET not in message
    assert "private" not in message


def test_the_file_in_the_docs_is_one(tmp_path: Path) -> None:
    example = DOCS.read_text().partition("```toml\n")[2].partition("```")[0]
    file = write(tmp_path)
    file.write_text(example)
    assert [each.name for each in read_notify_file(file)] == ["ops", "release-channel", "oncall", "auditors"]


def test_a_mistake_ends_the_controller_before_it_begins(tmp_path: Path) -> None:
    file = str(write(tmp_path, webhook("ops", "https://a.example/", "foo = 1")))
    assert "unknown field `foo`" in fail(tmp_path / "data", "controller", "--notify", file, code=2)
    assert not (tmp_path / "data").exists()


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = str(write(tmp_path, webhook("ops", "https://a.example/"), mode=0o640))
    assert "can be read by others (mode 0640)" in fail(tmp_path, "controller", "--notify", file, code=3)
    file = str(tmp_path / "nowhere.toml")
    assert "can't read the file of receivers" in fail(tmp_path, "controller", "--notify", file, code=1)


def test_a_controller_tells_of_a_rollout_and_the_dead_keep_nothing_waiting(
    data: Path, tmp_path: Path, service: Service, url: str
) -> None:
    silent = Service(say(200, b""))
    silent.answer = hang
    with serving(Service(say(200, b""))) as gone:
        pass
    with serving(silent) as dead:
        file = write(tmp_path, webhook("dead", dead), webhook("gone", gone), webhook("ops", url))
        with controller(data, "--notify", str(file)) as process:
            assert {process.wait_for("telling")["receiver"] for _ in range(3)} == {"dead", "gone", "ops"}
            reason = "<tested> \u2603"
            plan = "--stages", "staging,100", "--bake", "0s"
            succeed(data, "rollout", "start", "sdk", "1.0.0", *plan, "--reason", reason)
            until(lambda: len(service.asked) == 3)
            assert succeed(data, "rollout", "status", "sdk")["stable"] == "1.0.0"
            assert kinds(service) == ["rollout-started", "rollout-promoted", "rollout-done"]
            until(lambda: len(silent.asked) > 0)
    _, headers, body = service.asked[0]
    signed = headers["headrace-timestamp"].encode() + b"." + body
    assert headers["headrace-signature"] == "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert json.loads(body)["summary"] == f"the rollout of sdk@1.0.0 on stable began at staging, by sam: {reason}"
    log = json.dumps(process.log)
    assert "notice told" in log
    assert "ConnectError" in log
    assert SECRET not in log
    assert "private" not in log


def test_what_was_sent_when_the_controller_was_killed_is_sent_again_and_nothing_is_lost(
    data: Path, tmp_path: Path, service: Service, url: str
) -> None:
    file = str(write(tmp_path, webhook("ops", url)))
    service.answer = hang
    killed = Process(data, "controller", "--interval", "0.1", "--notify", file)
    killed.wait_for("telling")
    succeed(data, "block", "set", "sdk", "1.0.0")
    until(lambda: len(service.asked) == 1)  # it has it, and the controller does not know
    killed.kill()
    killed.stop()
    succeed(data, "block", "clear", "sdk", "1.0.0")
    service.answer = say(200, b"")
    with controller(data, "--notify", file) as process:
        for _ in range(2):
            process.wait_for("notice told")
    assert kinds(service) == ["build-blocked", "build-blocked", "build-unblocked"]
    first, again, second = (headers["headrace-event-id"] for _, headers, _ in service.asked)
    assert first == again != second
    where = "the webhook at 127.0.0.1"
    assert succeed(data, "notify", "list", "--notify", file) == [
        {"name": "ops", "where": where, "severity": "info", "told": 2, "given_up": 0}
    ]
