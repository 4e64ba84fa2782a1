"""A real Prometheus in a process of its own."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

PATIENCE_SECONDS = 30


class PrometheusServer:
    """A server on a loopback port that scrapes `/metrics` of one URL five times a second. It can be killed and
    started again.
    """

    def __init__(self, folder: Path, port: int, scraped: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._folder = folder
        folder.mkdir()
        job = {
            "job_name": "sdk",
            "scrape_interval": "200ms",
            "scrape_timeout": "200ms",
            "static_configs": [{"targets": [urlsplit(scraped).netloc]}],
        }
        (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))  # JSON is YAML
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._folder}/prometheus.yml",
                    f"--storage.tsdb.path={self._folder}/data",
                    f"--web.listen-address={urlsplit(self.url).netloc}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._is_ready():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def prometheus_server(folder: Path, port: int, scraped: str) -> Iterator[PrometheusServer]:
    """A server that runs, and is killed at the end."""
    server = PrometheusServer(folder, port, scraped)
    try:
        server.start()
        yield server
    finally:
        server.kill()
