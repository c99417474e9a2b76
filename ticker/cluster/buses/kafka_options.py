"""How a box speaks to Kafka: the options of librdkafka.

Source: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from ticker.config import ClusterConfig
from ticker.errors import ConfigError

PORT = 9092
MESSAGE_TIMEOUT = 30_000
"""ms after which a message that the broker has not acknowledged is given up."""


def options_of(config: ClusterConfig, name: str) -> dict[str, str]:
    """What producers and consumers share: brokers, login and TLS.

    Raises:
        ConfigError: a password is not there.
    """
    parts = [urlsplit(server) for server in config.servers]
    servers = ",".join(f"{part.hostname}:{part.port or PORT}" for part in parts)
    found = {
        "bootstrap.servers": servers,
        "client.id": name.replace(" ", "-"),
        "reconnect.backoff.ms": "50",
        "reconnect.backoff.max.ms": "500",
        "socket.nagle.disable": "true",
        "log_level": "0",
    }
    protocol = ("SASL_" if config.user is not None else "") + ("SSL" if config.tls else "PLAINTEXT")
    found["security.protocol"] = protocol
    if config.user is not None and config.password_env is not None:
        if config.password_env not in os.environ:
            raise ConfigError(f"password_env: set {config.password_env} in the environment")
        found |= {"sasl.mechanism": "PLAIN", "sasl.username": config.user}
        found["sasl.password"] = os.environ[config.password_env]
    files = {
        "ssl.ca.location": config.tls_ca,
        "ssl.certificate.location": config.tls_certificate,
        "ssl.key.location": config.tls_key,
    }
    found |= {key: path for key, path in files.items() if path is not None}
    return found | dict(config.kafka.options)


def producer_options(config: ClusterConfig, shared: dict[str, str]) -> dict[str, str]:
    """Every message is acknowledged by all replicas, once and in its order."""
    return {
        "acks": "all",
        "enable.idempotence": "true",
        "linger.ms": str(config.kafka.linger * 1000),
        "batch.size": "1000000",
        "message.max.bytes": "1100000",
        "message.timeout.ms": str(MESSAGE_TIMEOUT),
        "queue.buffering.max.messages": "1000000",
        "queue.buffering.max.kbytes": "1048576",
        "compression.type": config.kafka.compression,
        "partitioner": "murmur2_random",  # as Kafka's own clients spread keys
        **shared,
    }


def consumer_options(shared: dict[str, str]) -> dict[str, str]:
    """Without a group: nothing is committed, and nobody is made to wait for others."""
    return {
        "group.id": "ticker",  # the library asks for one; assigned partitions use none
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        "auto.offset.reset": "latest",
        "fetch.wait.max.ms": "10",
        "fetch.error.backoff.ms": "50",
        "allow.auto.create.topics": "false",
        **shared,
    }
