"""Receivers of notices, as their file describes them: which kind each is, where it is, and what it is told."""

import re
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from bundles.core.errors import Invalid
from release.core.notices import Notice, Severity
from release.core.scope import Scoped
from release.core.service_url import LOOPBACK_HOSTS, check_service_url
from release.core.signature import MIN_SECRET_BYTES

MAX_RECEIVERS = 50
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,250}[A-Za-z0-9])?")


class ReceiverOptions(Scoped, frozen=True, kw_only=True):
    """What all kinds have: a name of its own, the products and channels it is told of, and the least severity.

    What is not about one channel, or not about one product, is told to all who hear of that product, or to all.
    """

    name: str
    severity: Severity = Severity.INFO

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise Invalid(f"{self.name!r} is not a receiver's name: use up to 40 of a-z, 0-9 and '-'")

    def wants(self, notice: Notice) -> bool:
        """True where it is told of this."""
        return notice.severity.reaches(self.severity) and self.covers(notice)

    def covers(self, notice: Notice) -> bool:
        """True where the notice is of its products and channels."""
        if notice.product is None:
            return True
        if notice.channel is None:
            return self.is_for_product(notice.product)
        return self.is_for(notice.product, notice.channel)


class WebhookOptions(ReceiverOptions, frozen=True, kw_only=True, tag_field="kind", tag="webhook"):
    """A service that is told by a signed POST."""

    url: str
    secret: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_service_url(self.url, f"the receiver {self.name}")
        if len(self.secret.encode()) < MIN_SECRET_BYTES:
            raise Invalid(f"the secret of {self.name} is at least {MIN_SECRET_BYTES} bytes")

    def __str__(self) -> str:
        return f"the webhook at {urlsplit(self.url).hostname}"


class SlackOptions(ReceiverOptions, frozen=True, kw_only=True, tag_field="kind", tag="slack"):
    """An incoming webhook of Slack's, or of what takes the same. Who knows its URL can post there."""

    url: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_secret_url(self.url, f"the receiver {self.name}")

    def __str__(self) -> str:
        return f"Slack at {urlsplit(self.url).hostname}"


class PagerdutyOptions(ReceiverOptions, frozen=True, kw_only=True, tag_field="kind", tag="pagerduty"):
    """A service of PagerDuty's, by the Events API v2. It is told of what is critical, unless it says otherwise,
    and of what ends an affair, which resolves the incident.
    """

    routing_key: str
    url: str = PAGERDUTY_URL
    severity: Severity = Severity.CRITICAL

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_secret_url(self.url, f"the receiver {self.name}")
        if not self.routing_key.isascii() or not self.routing_key.isalnum():
            raise Invalid(f"the routing_key of {self.name} is the integration key: letters and digits")

    def wants(self, notice: Notice) -> bool:
        """True where it triggers an incident, or resolves one."""
        return super().wants(notice) or (notice.ends and self.covers(notice))

    def __str__(self) -> str:
        return f"PagerDuty at {urlsplit(self.url).hostname}"


class Encryption(StrEnum):
    """How a mail server is spoken to: by STARTTLS, by TLS from the first byte, or in the clear."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_PORTS = {Encryption.STARTTLS: 587, Encryption.TLS: 465, Encryption.NONE: 25}


class EmailOptions(ReceiverOptions, frozen=True, kw_only=True, tag_field="kind", tag="email"):
    """People, by a mail server. Without a port it is the usual one of the encryption."""

    host: str
    sender: str = msgspec.field(name="from")
    to: tuple[str, ...]
    port: int | None = None
    encryption: Encryption = Encryption.STARTTLS
    username: str | None = None
    password: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _HOST.fullmatch(self.host):
            raise Invalid(f"the host of {self.name} is a name or an address")
        if self.port is not None and not 0 < self.port < 2**16:
            raise Invalid(f"the port of {self.name} is 1 to 65535")
        if not 0 < len(self.to) <= MAX_RECEIVERS:
            raise Invalid(f"{self.name} has 1 to {MAX_RECEIVERS} addresses in to")
        for address in (self.sender, *self.to):
            if not _ADDRESS.fullmatch(address):
                raise Invalid(f"{address!r} of {self.name} is not an address, as in oncall@example.com")
        if (self.username is None) != (self.password is None):
            raise Invalid(f"{self.name} has a username and a password, or neither")
        if self.password is not None and self.encryption is Encryption.NONE:
            raise Invalid(f"{self.name} would send its password in the clear: use starttls or tls")

    @property
    def port_in_use(self) -> int:
        """The port to connect to."""
        return self.port or _PORTS[self.encryption]

    def __str__(self) -> str:
        return f"the mail server {self.host}"


AnyReceiver = WebhookOptions | SlackOptions | PagerdutyOptions | EmailOptions


class ReceiverFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All receivers."""

    receiver: tuple[AnyReceiver, ...] = ()

    def __post_init__(self) -> None:
        names = [each.name for each in self.receiver]
        if len(names) > MAX_RECEIVERS:
            raise Invalid(f"there are at most {MAX_RECEIVERS} receivers")
        for name in names:
            if names.count(name) > 1:
                raise Invalid(f"two receivers have the name {name}: what each was told is kept by its name")


def _check_secret_url(url: str, what: str) -> None:
    """Raises `Invalid` where others could read on the way what nobody else may know."""
    parts = check_service_url(url, what)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS:
        raise Invalid(f"{what} is an https URL: what is sent there is secret")
