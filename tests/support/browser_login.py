"""A person with a browser and a terminal: `headrace login --browser` at a server that speaks HTTPS."""

import re
import signal
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from tests.contract.conftest import free_port
from tests.support.certificates import Authority
from tests.support.cli import HEADRACE
from tests.support.oidc_provider import log_in, provider
from tests.support.processes import ApiProcess, api

CALLBACK_PATH = "/api/v1/login/callback"
ACCOUNTS = {
    "ada": {"email": "ada@example.com", "email_verified": True},
    "eve": {"email": "eve@example.com", "email_verified": True},
}
AS_A_BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Place(NamedTuple):
    """A server that people log in to, its URL, and the file of the authority that vouches for it."""

    process: ApiProcess
    url: str
    authority: Path

    @property
    def callback(self) -> str:
        """Where the provider sends browsers back to."""
        return self.url + CALLBACK_PATH

    def client(self, **options: Any) -> httpx.Client:
        """A client that believes its authority."""
        context = ssl.create_default_context(cafile=str(self.authority))
        return httpx.Client(verify=context, trust_env=False, **options)


@contextmanager
def place(data: Path, folder: Path) -> Iterator[Place]:
    """A server of this data folder, and a provider that knows those `ACCOUNTS`."""
    authority, port = Authority(folder, "authority"), free_port()
    certificate, key = authority.issue("server")
    url = f"https://127.0.0.1:{port}"
    client = {
        "client_id": "headrace",
        "token_endpoint_auth_method": "none",
        "redirect_uris": [url + CALLBACK_PATH],
    }
    with provider([client], ACCOUNTS) as issuer:
        file = folder / "login.toml"
        file.write_text(f'issuer = "{issuer}"\nclient_id = "headrace"\n')
        file.chmod(0o600)
        options = ["--port", str(port), "--tls-certificate", str(certificate), "--tls-key", str(key)]
        options += ["--public-url", url, "--login", str(file), "--strangers", "1000"]
        with api(data, *options) as process:
            yield Place(process, url, authority.certificate)


class Page(NamedTuple):
    """What a browser shows: its text, without tags, and its links by their texts."""

    response: httpx.Response
    text: str
    links: dict[str, str]


class Browser:
    """A browser of somebody who goes where links and redirects lead."""

    def __init__(self, at: Place) -> None:
        self._callback = at.callback
        self.http = at.client(headers=AS_A_BROWSER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def visit(self, url: str) -> Page:
        """The page there."""
        response = self.http.get(url)
        found = re.findall(r'<a href="([^"]*)">([^<]*)</a>', response.text)
        text = unescape(re.sub(r"<[^>]+>", " ", response.text.partition("</head>")[2]))
        return Page(response, text, {unescape(label): unescape(target) for target, label in found})

    def log_in(self, url: str, account: str = "ada") -> Page:
        """What is shown once somebody has logged in at the provider, from this URL of the server on."""
        begun = self.http.get(url)
        assert begun.status_code == 302, begun.text
        return self.visit(str(log_in(begun.headers["location"], account, self._callback)))


class LoginProcess:
    """`headrace login --browser` in a process of its own, which waits for a browser."""

    def __init__(self, url: str, variables: Mapping[str, str], *options: str) -> None:
        self._process = subprocess.Popen(
            [str(HEADRACE), "login", url, "--profile", "prod", "--browser", *options],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        """Wait until it has said where to log in."""
        assert self._process.stderr is not None
        self.told = self._process.stderr.readline() + self._process.stderr.readline()
        self.url = self._found(r"(https://\S+)")
        self.code = self._found(r"the code (\S+)")
        self.listener = f"http://127.0.0.1:{httpx.URL(self.url).params['port']}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str, str]:
        """Its exit code, and what else it has said on stdout and stderr."""
        out, err = self._process.communicate(timeout=60)
        return self._process.returncode, out, err

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.told)
        assert found is not None, (self.told, self.end())
        return found[1]
