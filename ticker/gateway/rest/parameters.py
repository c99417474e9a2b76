"""The parameters of a request: a query in, values out, or a Refusal that names the parameter."""

from __future__ import annotations

from collections.abc import Iterable

from ticker.gateway.access.problems import BAD_PARAMETER, Refusal


def bad(field: str, what: str) -> Refusal:
    """The refusal of a parameter: the fault, and a value that works."""
    return Refusal(BAD_PARAMETER, f"{field} {what}.", field=field)


def read_query(items: Iterable[tuple[str, str]], allowed: Iterable[str]) -> dict[str, str]:
    """The query as a dict; refuses unknown names and names given twice."""
    allowed = tuple(allowed)
    parameters: dict[str, str] = {}
    for name, value in items:
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            raise bad(name[:32], f"is not a parameter here; known: {known}")
        if name in parameters:
            raise bad(name, "is given twice; give it once")
        parameters[name] = value
    return parameters


def symbol_list(parameters: dict[str, str], most: int) -> list[str]:
    """The symbols of `symbols=`, each once, at most `most` entries."""
    if "symbols" not in parameters:
        raise bad(
            "symbols",
            "is missing; give a list like symbols=AAPL,MSFT, or one symbol as /prices/AAPL",
        )
    symbols = parameters["symbols"].split(",")
    if "" in symbols:
        raise bad("symbols", "has an empty entry; give a list like symbols=AAPL,MSFT")
    if len(symbols) > most:
        raise bad(
            "symbols",
            f"has {len(symbols)} entries, and {most} is the most; ask in several requests",
        )
    return list(dict.fromkeys(symbols))


def venue_of(parameters: dict[str, str]) -> str | None:
    """The MIC of `venue=`, None: over all venues."""
    venue = parameters.get("venue")
    if venue is None:
        return None
    if len(venue) != 4 or not (venue.isascii() and venue.isalnum() and venue.upper() == venue):
        raise bad("venue", "must be a market identifier code of ISO 10383, like XNAS")
    return venue


def integer(parameters: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number within its bounds, both included."""
    text = parameters.get(name)
    if text is None:
        return default
    short = text.isascii() and text.isdigit() and len(text) <= max(9, len(str(most)))
    if not (short and least <= int(text) <= most):
        raise bad(name, f"must be a whole number from {least} to {most}")
    return int(text)
