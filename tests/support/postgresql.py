"""A real PostgreSQL server in a process of its own."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

USER, PASSWORD = "headrace", "not-to-be-shown"
PATIENCE_SECONDS = 60


class PostgresServer:
    """A server on a loopback port that wants a password. It can be stopped, hung and started again.

    It syncs nothing to disk, which is faster, unless it `is_durable`.
    """

    def __init__(
        self, folder: Path, port: int, primary: "PostgresServer | None" = None, *, is_durable: bool = False
    ) -> None:
        """With a primary, it follows that one, and is read-only."""
        self._folder = folder
        self.port = port
        self._fsync = "on" if is_durable else "off"
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = _owner()
        shutil.chown(folder, self._owner)
        if primary is not None:
            self._run(
                "pg_basebackup", "-d", primary.url, "--checkpoint=fast", "--write-recovery-conf", "--no-sync"
            )
            return
        secret = folder / "password"
        secret.write_text(PASSWORD)
        shutil.chown(secret, self._owner)
        self._run("initdb", "--auth=scram-sha-256", f"--username={USER}", f"--pwfile={secret}", "--no-sync")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._launch()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._psql("SELECT 1").returncode:
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            if self._process is not None and self._process.poll() is not None:
                log = (self._folder / "log").read_text()
                # Its memory, by a process that was killed and is not dead yet.
                assert "is still in use" in log.rpartition("FATAL")[2], log
                self._launch()
            time.sleep(0.1)

    def _launch(self) -> None:
        settings = (
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            f"fsync={self._fsync}",
        )
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_binary("postgres"), "-D", self._folder / "data", *(f"--{setting}" for setting in settings)],
                user=self._owner,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def stop(self) -> None:
        """End it at once, with every connection."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """Kill (-9) it and its process for each connection; harmless where it is dead. A fork may do it too."""
        assert self._process is not None
        with suppress(FileNotFoundError):
            self._signal_all(signal.SIGKILL)
        self._process.wait(PATIENCE_SECONDS)

    def ensure_running(self) -> None:
        """Start it if it was stopped, and let it go on if it hangs."""
        assert self._process is not None
        if self._process.poll() is None:
            self.resume()
        else:
            self.start()

    def hang(self) -> None:
        """Let it answer nothing more, not even new connections."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `hang`."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        """To the server and to its process for each connection, which has a process group of its own."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for process in (self._process.pid, *map(int, children)):
            with suppress(ProcessLookupError):  # a connection that has ended meanwhile
                os.kill(process, number)

    @property
    def url(self) -> str:
        """The URL of the one database."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def new_database(self) -> str:
        """The URL of an empty database: a schema of its own, which is made and removed in no time."""
        name = f"control_{uuid.uuid4().hex[:8]}"
        self._execute(f"CREATE SCHEMA {name}")
        return f"{self.url}?search_path={name}"

    def execute(self, database: str, statement: str) -> None:
        """Run a statement in a database that `new_database` made, as its owner."""
        self._execute(f"SET search_path TO {database.rpartition('=')[2]}; {statement}")

    def end_connections(self, application: str = "headrace%") -> None:
        """End the sessions of programs of this name, as it is LIKE."""
        self._execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE application_name LIKE '{application}' AND pid <> pg_backend_pid()"
        )

    def _execute(self, statement: str) -> None:
        result = self._psql(statement)
        assert result.returncode == 0, result.stderr

    def _psql(self, statement: str) -> subprocess.CompletedProcess[str]:
        command = [_binary("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", statement]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)

    def _run(self, command: str, *arguments: str) -> None:
        subprocess.run(
            [_binary(command), "-D", self._folder / "data", *arguments],
            user=self._owner,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
            check=True,
        )


@contextmanager
def postgres_server(
    port: int, primary: PostgresServer | None = None, *, is_durable: bool = False
) -> Iterator[PostgresServer]:
    """A running server, gone at the end; with a primary, a replica of that."""
    # Not pytest's folder: that is closed to the server's own user.
    with tempfile.TemporaryDirectory(prefix="headrace-postgresql-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(Path(folder), port, primary, is_durable=is_durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def dump(database: str) -> str:
    """SQL that makes what is in a database that `new_database` made, where there is no schema of its name."""
    url, _, schema = database.partition("?search_path=")
    command = [_binary("pg_dump"), "-d", url, "-n", schema, "--inserts", "--no-owner"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    return "\n".join(line for line in result.stdout.splitlines() if not line.startswith("\\"))


def _owner() -> str:
    """The user that runs it: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _binary(name: str) -> str:
    """A command of PostgreSQL's. Debian keeps the server's off the PATH; of several versions, the newest."""
    packaged = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True
    )
    found = shutil.which(name, path=os.pathsep.join([*map(str, packaged), os.environ["PATH"]]))
    assert found is not None, f"PostgreSQL's {name} is missing: `make system-packages`"
    return found
