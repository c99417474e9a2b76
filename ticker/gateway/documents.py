"""The machine-readable contract: OpenAPI 3.1 for REST, AsyncAPI 3 for `/stream`.

Law: made from messages.py and resources.py alone; tests hold live answers and messages to what
stands here. Sources: spec.openapis.org/oas/v3.1, asyncapi.com/docs/reference/specification/v3.0.0.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ticker import __version__
from ticker.gateway.messages import (
    CLOSE_MEANINGS,
    COMMANDS,
    FATAL,
    MEANINGS,
    MESSAGES,
    SUBPROTOCOLS,
    close_code,
)
from ticker.gateway.protobuf import fields_of
from ticker.gateway.resources import (
    Alive,
    PriceObject,
    Prices,
    Problem,
    ServerStatus,
    Symbols,
)

Json = dict[str, Any]
RESOURCES = (PriceObject, Prices, Symbols, ServerStatus, Alive, Problem)
_BATCHED = ("Snapshot", "Update", "Lagged")
LICENCE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


def openapi() -> Json:
    """The OpenAPI document."""
    venue = _query("venue", {"type": "string", "pattern": "^[A-Z0-9]{4}$"}, "one venue's own view")
    symbol = {
        "name": "symbol",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }
    symbols = _query("symbols", {"type": "string"}, "a list, like AAPL,MSFT", required=True)
    wanted = _query("q", {"type": "string", "maxLength": 64}, "part of a ticker or a name")
    listed = _query("symbols", {"type": "string"}, "these very symbols; alone, without q and limit")
    limit = _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "at most so many")
    return {
        "openapi": "3.1.0",
        "info": {"title": "ticker", "version": __version__, "license": LICENCE},
        "paths": {
            "/prices/{symbol}": _get(
                "One price", "PriceObject", [symbol, venue], (400, 401, 403, 404, 429)
            ),
            "/prices": _get("Several prices", "Prices", [symbols, venue], (400, 401, 403, 429)),
            "/symbols": _get(
                "Symbols by text", "Symbols", [wanted, limit, listed], (400, 401, 403, 429)
            ),
            "/status": _get("Feeds, markets, gateways", "ServerStatus", [], (400, 401, 403, 429)),
            "/healthz": _get("Is it alive?", "Alive", [], (400, 403, 429)),
            "/readyz": _get("May it be used?", "Alive", [], (400, 403, 429, 503)),
        },
        "components": {
            "schemas": _components(RESOURCES, "#/components/schemas/{name}"),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _query(name: str, schema: Json, description: str, required: bool = False) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "schema": schema,
        "description": description,
    }


def _get(summary: str, answer: str, parameters: list[Json], refusals: tuple[int, ...]) -> Json:
    def content(name: str, kind: str) -> Json:
        return {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}}}

    responses: Json = {
        "200": {"description": "the answer", "content": content(answer, "application/json")}
    }
    for status in (*refusals, 500):
        responses[str(status)] = {
            "description": "a refusal",
            "content": content("Problem", "application/problem+json"),
        }
    return {
        "get": {
            "summary": summary,
            "parameters": parameters,
            "responses": responses,
            "security": [{}, {"bearer": []}],
        }
    }


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
        "asyncapi": "3.0.0",
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
            "schemas": _components(said, "#/components/schemas/{name}"),
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


def _components(types: Any, template: str) -> Json:
    """JSON schemas (2020-12) of types and all they hold, as they are in JSON."""
    _, components = msgspec.json.schema_components(types, ref_template=template)
    return {name: _as_written(schema) for name, schema in components.items()}


def _as_written(schema: Any) -> Any:
    """Decimals are numbers here, where msgspec's schema has strings."""
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
    schema = _components((message,), "{name}")[message.__name__]
    lines = [f"`{message.__struct_config__.tag}`: {summary}", ""]
    lines += ["| field | in JSON | needed | in Protobuf |", "| --- | --- | --- | --- |"]
    lines.append(f"| {tag} | `{message.__struct_config__.tag}` | yes | |")
    for field in fields_of(message):
        needed = "yes" if field.name in schema.get("required", ()) else ""
        kind = _kind(schema["properties"][field.name])
        lines.append(f"| {field.name} | {kind} | {needed} | {field.wire_name} = {field.number} |")
    return [*lines, ""]


def _kind(schema: Json) -> str:
    """A schema in a few words."""
    if "anyOf" in schema:
        kinds = [_kind(one) for one in schema["anyOf"]]
        return " or ".join(kind for kind in kinds if kind != "null")
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format", schema.get("type", "anything")))
