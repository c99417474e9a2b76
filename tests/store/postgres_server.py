"""A real PostgreSQL server of a test's own, in a temporary folder, on a loopback port."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

PASSWORD = "p%ss:w/rd@ß"
SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
fsync = off
max_connections = 30
logging_collector = off
"""


def programs() -> Path | None:
    """The folder of the server's programs; Debian has them beside PATH."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


def folder_of_all() -> str:
    """In memory where there is room: nothing waits for a disk."""
    memory = Path("/dev/shm")
    free = shutil.disk_usage(memory).free if memory.is_dir() else 0
    return str(memory) if free > 1 << 29 else "/tmp"


class PostgresServer:
    """A cluster, and its server: it can be stopped, started and asked. It is not run as root."""

    def __init__(self, bin_folder: Path) -> None:
        self.bin = bin_folder
        self.folder = Path(tempfile.mkdtemp(prefix="ticker-pg-", dir=folder_of_all()))
        self.user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._give_away(self.folder)
        self.data = self.folder / "data"
        with socket.create_server(("127.0.0.1", 0)) as one:
            self.port: int = one.getsockname()[1]
        self._make()
        self.start()
        self.made = 0

    def _make(self) -> None:
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        self._give_away(secret)
        self.run(
            "initdb", "-U", "owner", "--auth=scram-sha-256", f"--pwfile={secret}", "-N",
            "-E", "UTF8", "--locale=C.UTF-8",
        )  # fmt: skip
        settings = SETTINGS.format(port=self.port, folder=self.folder)
        (self.data / "postgresql.auto.conf").write_text(settings)

    def run(self, program: str, *arguments: str) -> None:
        """One of its programs, on the cluster."""
        command = [str(self.bin / program), "-D", str(self.data), *arguments]
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam(self.user)
            as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            timeout=60,
            **as_user,
        )
        assert done.returncode == 0, done.stdout

    def start(self) -> None:
        self.run("pg_ctl", "start", "-w", "-t", "60", "-l", str(self.folder / "log"))

    def stop(self, mode: str = "immediate") -> None:
        self.run("pg_ctl", "stop", "-w", "-m", mode)

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split("\n")[0])

    def url(self, database: str, *, user: str = "owner", more: str = "") -> str:
        """As an operator writes it, with the password."""
        secret = quote(PASSWORD, safe="")
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}{more}"

    def database(self) -> str:
        """The url of a new, empty database."""
        self.made += 1
        self.ask("postgres", f"CREATE DATABASE kept{self.made}")
        return self.url(f"kept{self.made}")

    def ask(self, database: str, *queries: str) -> list[Any]:
        """The rows of the last query, by a connection of its own."""
        url = database if "://" in database else self.url(database)
        with psycopg.connect(url, autocommit=True) as connection:
            for query in queries:
                cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def secured(self, certificate: str, key: str) -> Iterator[None]:
        """It takes connections by TLS, too."""
        for given, name in ((certificate, "server.crt"), (key, "server.key")):
            path = self.data / name
            path.write_bytes(Path(given).read_bytes())
            path.chmod(0o600)
            self._give_away(path)
        self.ask("postgres", "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
        yield
        self.ask("postgres", "ALTER SYSTEM SET ssl = off", "SELECT pg_reload_conf()")

    def _give_away(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, pwd.getpwnam(self.user).pw_uid, -1)

    def close(self) -> None:
        if (self.data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.folder)
