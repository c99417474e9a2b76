"""A program that uses Massive's (Polygon's) own package as its documentation shows it; only the
address is ours.

    with_massive.py HOST:PORT/polygon KEY SUBSCRIPTION...
"""

import logging
import sys

from massive import WebSocketClient

logging.basicConfig(level=logging.INFO, stream=sys.stderr)
address, key, *subscriptions = sys.argv[1:]
client = WebSocketClient(
    key, feed=address, market="stocks", subscriptions=subscriptions, secure=False, verbose=True
)


def told(messages: list[object]) -> None:
    for message in messages:
        print(message, flush=True)


client.run(told)
