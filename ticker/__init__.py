"""ticker: a self-hosted real-time stock-price server."""

__version__ = "0.1.0"
