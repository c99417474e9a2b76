"""The machine-readable contract of `/stream`: an AsyncAPI 3.1 document, and the reference in docs/.

Law: made from messages.py alone; tests hold live messages to what stands here. Source:
asyncapi.com/docs/reference/specification/v3.1.0.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ticker import __version__
from ticker.gateway.protocol.codes import CLOSE_MEANINGS, FATAL, MEANINGS, close_code
from ticker.gateway.protocol.messages import COMMANDS, MESSAGES
from ticker.gateway.protocol.protobuf import fields_of
from ticker.gateway.protocol.vocabulary import SUBPROTOCOLS

Json = dict[str, Any]
_BATCHED = (
    "Snapshot",
    "Update",
    "Lagged",
    "Correction",
    "Cancel",
    "LiveBar",
    "Depth",
    "Delta",
    "Movers",
)
LICENCE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


def asyncapi() -> Json:
    """The AsyncAPI document: what a client sends, what it receives."""
    said = [*COMMANDS, *MESSAGES]
    described = {message.__name__: _message(message) for message in said}
    described["Batch"] = {
        "name": "batch",
        "summary": "All updates of one flush, after `configure` with `batch`.",
        "payload": {
            "type": "array",
            "items": {"oneOf": [{"$ref": f"#/components/schemas/{n}"} for n in _BATCHED]},
        },
    }
    commands = [message.__name__ for message in COMMANDS]
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "ticker stream",
            "version": __version__,
            "license": {"name": LICENCE["name"]},
            "description": "Plain JSON without a subprotocol: only snapshot, update and error are "
            f"sent. The same and all else with one of {', '.join(SUBPROTOCOLS)}.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": "/stream",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in described},
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            }
        },
        "operations": {
            "command": _operation("receive", commands),
            "tell": _operation("send", [name for name in described if name not in commands]),
        },
        "components": {
            "messages": described,
            "schemas": components(said, "#/components/schemas/{name}"),
        },
    }


def _operation(action: str, names: list[str]) -> Json:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/stream"},
        "messages": [{"$ref": f"#/channels/stream/messages/{name}"} for name in names],
    }


def _message(message: type[msgspec.Struct]) -> Json:
    return {
        "name": message.__struct_config__.tag,
        "summary": (message.__doc__ or "").splitlines()[0],
        "payload": {"$ref": f"#/components/schemas/{message.__name__}"},
    }


def components(types: Any, template: str) -> Json:
    """JSON schemas (2020-12) of types and all they hold, as they are in JSON."""
    _, components = msgspec.json.schema_components(types, ref_template=template)
    return {name: _as_written(schema) for name, schema in components.items()}


def _as_written(schema: Any) -> Any:
    """A schema with decimals as numbers; msgspec's own has them as strings."""
    if isinstance(schema, list):
        return [_as_written(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "decimal":
        return {**{k: v for k, v in schema.items() if k != "format"}, "type": "number"}
    return {key: _as_written(value) for key, value in schema.items()}


def reference() -> str:
    """The part of docs/protocol.md that lists messages and codes, in Markdown."""
    lines = ["### Commands", ""]
    for command in COMMANDS:
        lines += _section(command, "action")
    lines += ["### Messages", ""]
    for message in MESSAGES:
        lines += _section(message, "type")
    lines += [
        "### Error codes",
        "",
        "| code | reason | means | closes with |",
        "| --- | --- | --- | --- |",
    ]
    for code, meaning in MEANINGS.items():
        closes = close_code(code) if code in FATAL else ""
        lines.append(f"| {int(code)} | {code.reason} | {meaning} | {closes} |")
    lines += ["", "### Other close codes", "", "| code | means |", "| --- | --- |"]
    lines += [f"| {int(code)} | {meaning} |" for code, meaning in CLOSE_MEANINGS.items()]
    return "\n".join(lines) + "\n"


def _section(message: type[msgspec.Struct], tag: str) -> list[str]:
    summary = (message.__doc__ or "").splitlines()[0]
    schema = components((message,), "{name}")[message.__name__]
    lines = [f"`{message.__struct_config__.tag}`: {summary}", ""]
    lines += ["| field | in JSON | needed | in Protobuf |", "| --- | --- | --- | --- |"]
    lines.append(f"| {tag} | `{message.__struct_config__.tag}` | yes | |")
    for field in fields_of(message):
        needed = "yes" if field.name in schema.get("required", ()) else ""
        kind = kind_of(schema["properties"][field.name])
        lines.append(f"| {field.name} | {kind} | {needed} | {field.wire_name} = {field.number} |")
    return [*lines, ""]


def kind_of(schema: Json) -> str:
    """A schema in a few words."""
    if "anyOf" in schema:
        kinds = [kind_of(one) for one in schema["anyOf"]]
        return " or ".join(kind for kind in kinds if kind != "null")
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"])
    if schema.get("type") == "array":
        return f"list of {kind_of(schema['items'])}"
    return str(schema.get("format", schema.get("type", "anything")))
