"""A real OpenID provider in a process of its own, and a browser that logs in there."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from headrace.demo.fetch import default_cache, find_npm

_HERE = Path(__file__).parent
_FILES = ("package.json", "package-lock.json", "provider.mjs")
_SECONDS = 120
MAX_STEPS = 20


def _installed() -> Path:
    """The provider's folder, cached: npm has checked each package against the lock's integrity hash."""
    locked = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _FILES)).hexdigest()[:16]
    folder = default_cache() / "oidc-provider" / locked
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            for name in _FILES:
                shutil.copy(_HERE / name, made)
            _run_npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", cwd=made)
            if not folder.is_dir():
                made.rename(folder)
    return folder


def _node_beside() -> dict[str, str]:
    npm = find_npm()
    assert npm is not None
    return {**os.environ, "PATH": f"{npm.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def _run_npm(*arguments: str, cwd: Path) -> None:
    subprocess.run(
        ["npm", *arguments], cwd=cwd, env=_node_beside(), stdin=subprocess.DEVNULL, timeout=_SECONDS, check=True
    )


@contextmanager
def provider(clients: Sequence[Mapping[str, Any]], accounts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The issuer of a provider that knows these clients, and these accounts with their claims."""
    folder = _installed()
    told = json.dumps({"clients": clients, "accounts": accounts})
    with subprocess.Popen(
        ["node", "provider.mjs", told],
        cwd=folder,
        env=_node_beside(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # its `node` may be a script, whose child would outlive it
    ) as process:
        try:
            assert process.stdout is not None
            while not (line := process.stdout.readline()).startswith("http://"):  # it warns before that
                assert line, "the provider has ended"
            yield line.strip()
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def log_in(url: str, account: str, redirect_uri: str) -> httpx.URL:
    """What a browser does from this URL on, with somebody at it who logs in: where it is sent back to."""
    form = {"prompt": "login", "login": account, "password": "none"}
    with httpx.Client() as browser:
        response = browser.get(url)
        for _ in range(MAX_STEPS):
            if response.has_redirect_location:
                target = urljoin(str(response.url), response.headers["location"])
                if target.startswith(redirect_uri):
                    return httpx.URL(target)
                response = browser.get(target)
                continue
            assert response.status_code == 200, response.text
            action = re.search(r'<form[^>]* action="([^"]+)"', response.text)
            assert action is not None, response.text
            is_login = 'name="login"' in response.text
            response = browser.post(
                urljoin(str(response.url), action[1]), data=form if is_login else {"prompt": "consent"}
            )
    raise AssertionError("the provider never sent the browser back")
