"""Receivers of each kind, on sockets: what they are sent, and what their answers come to."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headrace.notify_file import subscriptions
from release.core.notices import Notice, trial_notice
from release.core.receivers import (
    AnyReceiver,
    EmailOptions,
    Encryption,
    PagerdutyOptions,
    SlackOptions,
    WebhookOptions,
)
from release.notify import Subscription, send_once
from release.ports import Undelivered
from tests.release.conftest import Clock
from tests.support.certificates import Authority
from tests.support.mail import MailServer, mail_server
from tests.support.service import Service, hang, say, serving

pytestmark = pytest.mark.anyio

SECRET = "a secret that both of them know"
NOTICE = trial_notice(1_700_000_000)


@asynccontextmanager
async def subscribed(options: AnyReceiver) -> AsyncIterator[Subscription]:
    async with subscriptions([options], Clock(1_700_000_000)) as [subscription]:
        yield subscription


def webhook(url: str) -> WebhookOptions:
    return WebhookOptions(name="hook", url=f"{url}/check?key=private", secret=SECRET)


async def refusal(options: AnyReceiver, seconds: float = 10) -> Undelivered:
    """What a receiver that does not take a notice comes to; it says nothing that is private."""
    async with subscribed(options) as subscription:
        with pytest.raises(Undelivered) as raised:
            await send_once(subscription, NOTICE, seconds)
    assert "private" not in str(raised.value)
    return raised.value


async def test_a_webhook_gets_the_notice_signed() -> None:
    service = Service(say(204, b""))
    with serving(service) as url:
        async with subscribed(webhook(url)) as subscription:
            assert await send_once(subscription, NOTICE) == "the webhook at 127.0.0.1 answered 204"
    [(path, headers, body)] = service.asked
    assert path == "/check?key=private"
    assert headers["content-type"] == "application/json"
    sent = json.loads(body)
    assert headers["headrace-event-id"] == sent["id"] == "trial-1700000000"
    assert sent["at"] == "2023-11-14T22:13:20+00:00"
    assert sent.keys() == set(Notice.__struct_fields__)
    # As docs/notifications.md tells the receiver to check it.
    signed = headers["headrace-timestamp"].encode() + b"." + body
    assert headers["headrace-signature"] == "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


async def test_slack_and_pagerduty_get_what_they_take() -> None:
    service = Service(say(202, b""))
    with serving(service) as url:
        for options in (
            SlackOptions(name="slack", url=url),
            PagerdutyOptions(name="pager", url=url, routing_key="R0UT1NG"),
        ):
            async with subscribed(options) as subscription:
                await send_once(subscription, NOTICE)
    slack, pager = (json.loads(body) for _, _, body in service.asked)
    assert slack["text"] == NOTICE.summary
    assert NOTICE.summary in slack["blocks"][0]["text"]["text"]
    assert (pager["routing_key"], pager["event_action"]) == ("R0UT1NG", "trigger")


@pytest.mark.parametrize(
    ("status", "lasting"),
    [(500, False), (503, False), (429, False), (408, False), (425, False), (400, True), (404, True), (410, True)],
)
async def test_what_is_no_2xx_is_not_delivered(status: int, lasting: bool) -> None:
    with serving(Service(say(status, b"private"))) as url:
        error = await refusal(webhook(url))
    assert str(error) == f"the webhook at 127.0.0.1 answered {status}"
    assert (error.lasting, error.retry_after) == (lasting, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:12:20 GMT", -60.0),
        ("soon", None),
        ("-5", None),
        ("\xb2", None),
        ("9" * 400, 999_999_999.0),
        ("Tue, 14 Nov 99999 22:14:20 GMT", None),
    ],
)
async def test_how_long_it_asks_to_wait_is_read(text: str, seconds: float | None) -> None:
    with serving(Service(say(503, b"", **{"retry-after": text}))) as url:
        assert (await refusal(webhook(url))).retry_after == seconds


async def test_redirects_are_not_followed() -> None:
    other = Service(say(200, b""))
    with serving(other) as target, serving(Service(say(307, b"", location=target))) as url:
        error = await refusal(webhook(url))
    assert str(error) == "the webhook at 127.0.0.1 answered 307, and redirects are not followed"
    assert error.lasting
    assert other.asked == []


async def test_who_is_away_or_does_not_answer_is_named_without_what_is_private() -> None:
    service = Service(say(200, b""))
    with serving(service) as url:
        service.answer = hang
        late = await refusal(webhook(url), seconds=0.2)
    away = await refusal(webhook(url))
    assert str(late) == "the webhook at 127.0.0.1 did not answer within 0.2 seconds"
    assert str(away) == "the webhook at 127.0.0.1 could not be reached: ConnectError"
    assert not late.lasting
    assert not away.lasting


def mail(server: MailServer, encryption: Encryption, **options: str) -> EmailOptions:
    return EmailOptions(
        name="mail",
        host="127.0.0.1",
        port=server.port,
        encryption=encryption,
        sender="headrace@example.com",
        to=("a@example.com", "b@example.com"),
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("encryption", list(Encryption))
async def test_mail_is_taken_with_each_encryption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encryption: Encryption
) -> None:
    authority = Authority(tmp_path, "authority")
    certificate, key = map(str, authority.issue("mail"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    options = {
        Encryption.STARTTLS: ("--tlscert", certificate, "--tlskey", key),
        Encryption.TLS: ("--smtpscert", certificate, "--smtpskey", key),
        Encryption.NONE: (),
    }[encryption]
    with mail_server(tmp_path / "mail", *options) as server:
        async with subscribed(mail(server, encryption)) as subscription:
            answer = await send_once(subscription, NOTICE)
        [message] = server.messages()
    assert answer == "the mail server 127.0.0.1 took it for 2 of 2 addresses"
    assert message["Subject"].startswith("[Headrace] info: this is a test of Headrace's notifications:")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<headrace-trial-1700000000@example.com>"
    assert message["X-RcptTo"] == "a@example.com, b@example.com"


async def test_mail_does_not_go_out_in_the_clear_or_to_a_stranger(tmp_path: Path) -> None:
    certificate, key = map(str, Authority(tmp_path, "authority").issue("mail"))
    with mail_server(tmp_path / "plain") as plain:
        no_tls = await refusal(mail(plain, Encryption.STARTTLS, username="sam", password="private"))
        assert plain.messages() == []
    with mail_server(tmp_path / "strange", "--tlscert", certificate, "--tlskey", key) as strange:
        stranger = await refusal(mail(strange, Encryption.STARTTLS))
        in_the_clear = await refusal(mail(strange, Encryption.NONE))
        assert strange.messages() == []
    assert not no_tls.lasting
    assert str(stranger) == "the mail server 127.0.0.1 could not be reached: SSLCertVerificationError"
    assert (str(in_the_clear), in_the_clear.lasting) == ("the mail server 127.0.0.1 answered 530", True)


async def test_a_mail_server_that_is_away_or_does_not_answer_is_named() -> None:
    nowhere = MailServer(Path("unused"))
    away = await refusal(mail(nowhere, Encryption.NONE))
    assert str(away) == "the mail server 127.0.0.1 could not be reached: SMTPConnectError"
    service = Service(say(200, b""))
    service.answer = hang
    with serving(service) as url:  # it waits for the other side to speak first
        silent = MailServer(Path("unused"))
        silent.port = int(url.split(":")[2].partition("/")[0])
        late = await refusal(mail(silent, Encryption.NONE), seconds=0.3)
    assert str(late) == "the mail server 127.0.0.1 did not answer within 0.3 seconds"
