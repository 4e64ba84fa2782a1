"""Receivers that are people with a mailbox."""

import socket
import ssl

import aiosmtplib

from release.core.notice_shapes import email_message
from release.core.notices import Notice
from release.core.receivers import EmailOptions, Encryption
from release.ports import Undelivered


class EmailReceiver:
    """Hands each notice to a mail server, whose certificate must be valid where the options ask for encryption."""

    def __init__(self, options: EmailOptions) -> None:
        self._options = options
        self._tls = None if options.encryption is Encryption.NONE else ssl.create_default_context()

    async def send(self, notice: Notice) -> str:
        """As `Receiver.send`. It was told where one of the addresses was taken."""
        options = self._options
        message = email_message(notice, options.sender, options.to)
        client = aiosmtplib.SMTP(
            hostname=options.host,
            port=options.port_in_use,
            # Its own look for this machine's name may ask the network.
            local_hostname=socket.gethostname(),
            timeout=None,
            use_tls=options.encryption is Encryption.TLS,
            start_tls=options.encryption is Encryption.STARTTLS,
            tls_context=self._tls,
            username=options.username,
            password=options.password,
        )
        try:
            await client.connect()
            refused, _ = await client.send_message(message)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise self._undelivered(error) from None
        finally:
            client.close()  # without a QUIT: what was taken must not count as untold for want of an answer to that
        taken = len(options.to) - len(refused)
        return f"{options} took it for {taken} of {len(options.to)} addresses"

    def _undelivered(self, error: Exception) -> Undelivered:
        """By the code alone: what a server says may hold anything."""
        codes = [one.code for one in _responses(error)]
        if not codes:
            return Undelivered(f"{self._options} could not be reached: {type(error).__name__}")
        lasting = all(500 <= code < 600 for code in codes)
        what = "refused the login" if isinstance(error, aiosmtplib.SMTPAuthenticationError) else "answered"
        return Undelivered(f"{self._options} {what} {', '.join(map(str, codes))}", lasting=lasting)


def _responses(error: Exception) -> list[aiosmtplib.SMTPResponseException]:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return list(error.recipients)
    return [error] if isinstance(error, aiosmtplib.SMTPResponseException) else []
