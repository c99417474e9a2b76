"""What the tests of dialects share."""

from tests.gateway.dialects.speaking import speak

__all__ = ["speak"]
