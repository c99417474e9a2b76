"""A real Kafka broker in KRaft mode, for tests of the bus. It has a listener without a login, and
others that ask for a password, for TLS, and for a certificate of the client.

The jars are those of tests/cluster/kafka.xml, in build/kafka or the folder that TICKER_KAFKA names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.certificates import Authority
from tests.cluster.servers import wait_for
from ticker.bench.rig.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent.parent
JARS = Path(os.environ.get("TICKER_KAFKA") or ROOT / "build" / "kafka")
JAVA = shutil.which("java")
THERE = JAVA is not None and any(JARS.glob("kafka_*.jar"))
MISSING = (
    "no Kafka: mvn -q -B -f tests/cluster/kafka.xml dependency:copy-dependencies "
    "-DincludeScope=runtime -DoutputDirectory=$PWD/build/kafka"
)

USER, PASSWORD = "box", "secret"
LISTENERS = ("PLAINTEXT", "LOGIN", "SECURE", "MUTUAL")

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{control}
listeners={listeners},CONTROLLER://127.0.0.1:{control}
advertised.listeners={listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT,\
  SECURE:SASL_SSL,MUTUAL:SSL
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.login.plain.sasl.jaas.config={plain}
listener.name.secure.plain.sasl.jaas.config={plain}
listener.name.login.scram-sha-512.sasl.jaas.config={scram}
listener.name.secure.scram-sha-512.sasl.jaas.config={scram}
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.mutual.ssl.client.auth=required
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


MODULES = "org.apache.kafka.common.security"
PLAIN = f'{MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
SCRAM = f"{MODULES}.scram.ScramLoginModule required;"


class Kafka:
    """A broker on ports of its own, which it keeps over restarts, and its log, too.

    Attributes:
        url: of the listener without a login; `urls`: of each, by name.
        authority: that signed the broker's certificate, and those of clients that it takes.
    """

    def __init__(self, folder: Path) -> None:
        assert JAVA is not None
        ports = {name: free_port() for name in LISTENERS}
        self.port = ports["PLAINTEXT"]
        self.urls = {name: f"kafka://127.0.0.1:{port}" for name, port in ports.items()}
        self.url = self.urls["PLAINTEXT"]
        self.folder = folder / f"kafka-{self.port}"
        self.folder.mkdir()
        self.authority = Authority(self.folder)
        self.log = self.folder / "server.log"
        self.properties = self.folder / "server.properties"
        self.properties.write_text(
            PROPERTIES.format(
                listeners=",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()),
                control=free_port(),
                folder=self.folder / "logs",
                plain=PLAIN,
                scram=SCRAM,
                keystore=self._keystore(),
                truststore=self.authority.path,
            )
        )
        self.java = [JAVA, "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*"]
        self.process: subprocess.Popen[bytes] | None = None
        command = [*self.java, "kafka.tools.StorageTool", "format", "-t", "dGlja2VyLXRlc3RzLTAwMQ"]
        command += ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]
        subprocess.run([*command, "-c", str(self.properties)], check=True, capture_output=True)

    def _keystore(self) -> Path:
        """A file with the broker's key and certificate."""
        certificate, key = self.authority.issue("127.0.0.1")
        made = self.folder / "keystore.pem"
        made.write_text(Path(key).read_text() + Path(certificate).read_text())
        return made

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
