"""A real Kafka broker in KRaft mode, for tests of the bus.

The jars are those of tests/cluster/kafka.xml, in build/kafka or the folder that TICKER_KAFKA names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.cluster.servers import free_port, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
JARS = Path(os.environ.get("TICKER_KAFKA") or ROOT / "build" / "kafka")
JAVA = shutil.which("java")
THERE = JAVA is not None and any(JARS.glob("kafka_*.jar"))
MISSING = (
    "no Kafka: mvn -q -B -f tests/cluster/kafka.xml dependency:copy-dependencies "
    "-DincludeScope=runtime -DoutputDirectory=$PWD/build/kafka"
)

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{control}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={folder}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
log.cleaner.enable=false
"""


class Kafka:
    """A broker on a port of its own, which it keeps over restarts, and its log, too."""

    def __init__(self, folder: Path) -> None:
        assert JAVA is not None
        self.port = free_port()
        self.url = f"kafka://127.0.0.1:{self.port}"
        self.folder = folder / f"kafka-{self.port}"
        self.folder.mkdir()
        self.log = self.folder / "server.log"
        self.properties = self.folder / "server.properties"
        self.properties.write_text(
            PROPERTIES.format(port=self.port, control=free_port(), folder=self.folder / "logs")
        )
        self.java = [JAVA, "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*"]
        self.process: subprocess.Popen[bytes] | None = None
        command = [*self.java, "kafka.tools.StorageTool", "format", "-t", "dGlja2VyLXRlc3RzLTAwMQ"]
        subprocess.run([*command, "-c", str(self.properties)], check=True, capture_output=True)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.java, "kafka.Kafka", str(self.properties)], stdout=log, stderr=log
            )
        wait_for(self.answers, seconds=90)

    def answers(self) -> bool:
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{self.port}", "log_level": "0"})
        try:
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
