"""The steps of deploy/Dockerfile in bare Debian roots, where there is no engine of containers.

    make release-check ARGS=--image      # as root, with debootstrap

The roots are what debian:SUITE-slim is but for the packages that debootstrap calls essential. The
result runs as the image would: as its user, without capabilities, on a root that cannot be written
to, in a network of its own; its health check is asked, and SIGTERM ends it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import release
import roots

DOCKERFILE = release.ROOT / "deploy" / "Dockerfile"
SLIM = re.compile(r"debian:(\w+)-slim(?: AS (\w+))?")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BARE = ("--reuid={user}", "--regid={user}", "--clear-groups", "--no-new-privs",
        "--bounding-set=-all", "--inh-caps=-all")  # fmt: skip
ALONE = """
ip link set lo up
mount --rbind "$1" "$1"
mount -t tmpfs tmpfs "$1/tmp"
mount -t tmpfs -o "$2" tmpfs "$3"
mount -o remount,ro,bind "$1"
shift 3
exec "$@"
"""
"""In namespaces of its own: root, options of the volume, volume; then the command."""
PRICE = ("ticker", "get", "AAPL")
PATIENCE = 60.0  # s until it is healthy


@dataclass
class Stage:
    """What one FROM begins."""

    root: Path
    folder: str = "/"
    environ: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    says: dict[str, str] = field(default_factory=dict)
    """USER, VOLUME, HEALTHCHECK, ENTRYPOINT, CMD and the like, as written."""

    def command(self, *words: str) -> list[str]:
        """For a process in the root, with its environment alone."""
        pairs = [f"{name}={value}" for name, value in self.environ.items()]
        return [*roots.inside(self.root, "/usr/bin/env", "-i", *pairs), *words]

    def words(self, name: str) -> list[str]:
        """Of an instruction in its form of JSON, behind its options."""
        found: list[str] = json.loads(self.says[name][self.says[name].index("[") :])
        return found


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction and the rest of its line."""
    plain = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(str.strip, plain.splitlines()):
        word, _, rest = line.strip().partition(" ")
        yield word, rest.strip()


def try_image() -> None:
    """Build it, and run it.

    Raises:
        SystemExit: a step failed, or the server is not healthy.
    """
    with ExitStack() as stack:
        stages: dict[str, Stage] = {}
        stage: Stage | None = None
        for word, rest in instructions(DOCKERFILE.read_text()):
            if word == "FROM":
                found = SLIM.fullmatch(rest)
                assert found, f"FROM {rest}: only debian:SUITE-slim is known here"
                stage = Stage(stack.enter_context(roots.root(suite=found[1])))
                stages[found[2] or ""] = stage
                continue
            assert stage is not None, f"{word} before FROM"
            release.say(f"image: {word} {rest[:60]}")
            step(word, rest, stage, stages)
        assert stage is not None
        run(stage)


def step(word: str, rest: str, stage: Stage, stages: dict[str, Stage]) -> None:
    if word == "RUN":
        release.run(stage.command("sh", "-ec", f"cd {stage.folder}; {rest}"))
    elif word == "COPY":
        copy(rest, stage, stages)
    elif word == "WORKDIR":
        stage.folder = rest
        (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif word == "ENV":
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            stage.environ[name] = value.replace("$PATH", stage.environ["PATH"])
    else:
        stage.says[word] = rest


def copy(rest: str, stage: Stage, stages: dict[str, Stage]) -> None:
    *sources, target = rest.split()
    origin = release.ROOT
    if sources[0].startswith("--from="):
        origin = stages[sources.pop(0).removeprefix("--from=")].root
    place = stage.root / os.path.join(stage.folder, target).lstrip("/")  # noqa: PTH118
    for source in sources:
        path = origin / source.lstrip("/")
        into = place / path.name if target.endswith("/") or target == "." else place
        into.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            left = shutil.ignore_patterns("*.so", "__pycache__", "commit.txt")
            of_tree = left if origin == release.ROOT else None
            shutil.copytree(path, into, symlinks=True, ignore=of_tree, dirs_exist_ok=True)
        else:
            shutil.copy(path, into)


def run(stage: Stage) -> None:
    """It becomes healthy as a stranger in a root of its own, and ends when it is told to."""
    user, volume = stage.says["USER"], stage.says["VOLUME"]
    bare = ["setpriv", *(each.format(user=user) for each in BARE)]
    owner = (stage.root / volume[1:]).stat()
    command = stage.command(*bare, *stage.words("ENTRYPOINT"), *stage.words("CMD"))
    root, may = str(stage.root), f"uid={owner.st_uid},gid={owner.st_gid},mode=700"
    alone = ["unshare", "--net", "--mount", "sh", "-ec", ALONE, "sh", root, may, root + volume]
    with subprocess.Popen([*alone, *command]) as server:
        try:
            healthy(stage, server)
        finally:
            server.send_signal(signal.SIGTERM)
            code = server.wait(30)
    if code != 0:
        sys.exit(f"the server of the image ended with {code}")
    release.say("the image's steps, in bare roots: it is healthy, and ends when it is told to")


def healthy(stage: Stage, server: subprocess.Popen[bytes]) -> None:
    """Its health check passes, and it has prices. Its root takes no file."""
    inside = ["nsenter", "--target", str(server.pid), "--net", "--mount"]
    for name, command in (("healthy", stage.words("HEALTHCHECK")), ("priced", PRICE)):
        end = time.monotonic() + PATIENCE
        while (
            done := subprocess.run([*inside, *stage.command(*command)], capture_output=True)
        ).returncode:
            if time.monotonic() > end or server.poll() is not None:
                said = (done.stdout + done.stderr).decode()
                sys.exit(f"the image's server is not {name} after {PATIENCE:g} s: {said}")
            time.sleep(0.2)
    release.say(done.stdout.decode().strip())
    touched = subprocess.run([*inside, *stage.command("touch", "/file")], capture_output=True)
    if touched.returncode == 0:
        sys.exit("the root of the image's server can be written to")
