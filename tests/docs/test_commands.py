"""Every command in the pages is one that there is, with options that it has."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import click
import pytest

from tests.docs.blocks import commands
from ticker.cli import main
from ticker.gateway.rest.openapi import openapi

OF_THE_SYSTEM = {
    "docker", "kubectl", "systemctl", "journalctl", "nginx", "haproxy", "caddy", "prometheus",
    "promtool", "npm", "redis-cli", "export", ".",
}  # fmt: skip
"""Programs of others: the files that they are given are looked at."""
ALL = sorted({(str(block), tuple(words)) for block, words in commands()})


def of_ticker(words: list[str], _: Path) -> None:
    """By the command's own parser, which refuses an option that it does not have."""
    command: click.Command = main
    context = click.Context(main, info_name="ticker")
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        assert found is not None, f"there is no command {rest[0]}"
        command, rest = found, rest[1:]
    if isinstance(command, click.Group):
        assert set(rest) <= {"--help", "--version"}
        return
    rest = ["1000" if word == "…" else word for word in rest]
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            parameter.type.exists = False  # of the reader, not of this machine
    command.make_context(command.name, rest, parent=context)


def of_make(words: list[str], root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    for word in words[1:]:
        name = word.partition("=")[0]
        mark = rf"^{re.escape(name)}( \?=|:)|\$\({name}\)" if "=" in word else rf"^{word}:"
        assert re.search(mark, makefile, re.MULTILINE), f"make knows no {word}"


def of_curl(words: list[str], _: Path) -> None:
    """An address that REST has, with parameters that it has."""
    (url,) = (word for word in words[1:] if word.startswith("localhost:8700"))
    parts = urlsplit(f"http://{url}")
    paths = openapi(tokens=False, required=False, max_symbols=10, levels=(1,))["paths"]
    if parts.path == "/stream":
        return  # asked by the test of this page's events
    for template, operations in paths.items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), parts.path):
            known = {each["name"] for each in operations["get"].get("parameters", [])}
            assert {name for name, _ in parse_qsl(parts.query)} <= known
            return
    raise AssertionError(f"REST has no {parts.path}")


def of_python(words: list[str], root: Path) -> None:
    if "-m" in words:
        assert importlib.util.find_spec(words[words.index("-m") + 1]) is not None
        if words[words.index("-m") + 1] == "pip":
            of_pip(words[words.index("-m") + 1 :], root)
    else:
        assert (root / words[1]).is_file()


def of_pip(words: list[str], root: Path) -> None:
    known = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert words[1] in ("install", "wheel")
    for word in words[2:]:
        if found := re.fullmatch(r"ticker\[(\w+)\]", word):
            assert found[1] in known
        elif word.startswith("./"):
            assert (root / word / "pyproject.toml").is_file()
        else:
            assert (
                word in ("-c", "constraints.txt", "build/dist/ticker-*-cp311-*.whl")
                or word in (root / "constraints.txt").read_text()
            ), word


def of_install(words: list[str], root: Path) -> None:
    source = words[-2]
    assert source in ("ticker.toml", "environment") or (root / source).is_file()


def of_others(words: list[str], root: Path) -> None:
    for word in words[1:]:
        name = word.rpartition("=")[2]
        if name.startswith("deploy/"):
            assert (root / name).is_file(), f"there is no {name}"


CHECKS: dict[str, Callable[[list[str], Path], None]] = {
    "ticker": of_ticker,
    "make": of_make,
    "curl": of_curl,
    "python": of_python,
    "python3": of_python,
    "pip": of_pip,
    "install": of_install,
    **dict.fromkeys(OF_THE_SYSTEM, of_others),
}


@pytest.mark.parametrize(("where", "words"), ALL, ids=lambda each: str(each))
def test_a_command_is_one_that_there_is(where: str, words: tuple[str, ...], root: Path) -> None:
    program = Path(words[0]).name if words[0] != "." else "."
    if words[0].startswith(".ci/"):
        assert (root / words[0]).is_file()
        return
    assert program in CHECKS, f"{where}: say in this test how {program} is checked"
    CHECKS[program](list(words), root)


def test_commands_are_found_at_all() -> None:
    assert len(ALL) > 80
    assert {words[0] for _, words in ALL} >= {"ticker", "make", "curl"}


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["ticker", "serv"], "no command"),
        (["make", "everything"], "knows no"),
        (["curl", "localhost:8700/price/AAPL"], "has no"),
        (["docker", "compose", "--file", "deploy/nothing.yaml"], "there is no"),
    ],
)
def test_a_wrong_command_is_refused(words: list[str], fault: str, root: Path) -> None:
    with pytest.raises(AssertionError, match=fault):
        CHECKS[words[0]](words, root)


def test_a_wrong_option_is_refused(root: Path) -> None:
    with pytest.raises(click.UsageError, match="--nothing"):
        of_ticker(["ticker", "check", "--nothing"], root)
