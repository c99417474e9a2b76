"""The credentials of a feed, some of them from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ticker.errors import ConfigError


def read_credentials(configured: Mapping[str, str]) -> dict[str, str]:
    """Credentials by name; one that is written `$NAME` is in the environment.

    Raises:
        ConfigError: the environment has it not.
    """
    found = {}
    for name, value in configured.items():
        if value.startswith("$"):
            if value[1:] not in os.environ:
                raise ConfigError(f"credentials.{name}: set {value[1:]} in the environment")
            value = os.environ[value[1:]]
        found[name] = value
    return found


def read_password(table: str, name: str) -> str:
    """The password of a session, from the environment variable that `password_env` of its table
    names.

    Raises:
        ConfigError: the environment has it not.
    """
    if name not in os.environ:
        raise ConfigError(f"{table}.password_env: set {name} in the environment")
    return os.environ[name]
