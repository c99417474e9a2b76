"""Machines of a test: network namespaces on a switch, whose cables can be cut.

Each machine has the address 10.77.0.N on the network of the bus, and 10.78.0.N on that of the
exchange's lines. Shared memory is that of the test, so a test reads the segments of each machine.
A cable that is cut loses packets in silence: connections stay, and nothing comes.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUS, LINES = "bus", "lines"
NETWORKS = {BUS: "10.77.0", LINES: "10.78.0"}
OWN = Path("/proc/thread-self/ns/net")
CLONE_NEWNET = 0x40000000
ASK_AGAIN = 100
"""ms between two questions for the hardware address of a neighbour (docs/cluster.md): the kernel
asks once a second by itself, and until then nothing goes over a link that is back."""
LIBC = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace, kept by a process that sleeps."""

    def __init__(self) -> None:
        self.keeper = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.path = Path(f"/proc/{self.keeper.pid}/ns/net")
        self.enter = ["nsenter", f"--net={self.path}", "--"]
        end = time.monotonic() + 5.0
        while self.path.readlink() == OWN.readlink():
            assert self.keeper.poll() is None, "unshare --net failed"
            assert time.monotonic() < end
            time.sleep(0.001)

    def ip(self, *commands: str) -> None:
        """Commands of `ip`, in one go."""
        done = subprocess.run(
            [*self.enter, "ip", "-batch", "-"],
            input="\n".join(commands), text=True, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def run(self, *command: str) -> None:
        subprocess.run([*self.enter, *command], check=True)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Sockets that this thread makes meanwhile are of the namespace."""
        own, other = (os.open(path, os.O_RDONLY) for path in (OWN, self.path))
        try:
            _enter(other)
            try:
                yield
            finally:
                _enter(own)
        finally:
            os.close(own)
            os.close(other)

    def close(self) -> None:
        self.keeper.kill()
        self.keeper.wait()


class Machine(Namespace):
    """One on the switch; `number` is the last part of its addresses."""

    def __init__(self, switch: Namespace, number: int) -> None:
        super().__init__()
        self.switch, self.number = switch, number
        self.address, self.lines = (f"{net}.{number}" for net in NETWORKS.values())
        switch.ip(
            *(
                line
                for net in NETWORKS
                for line in (
                    f"link add {self.port(net)} type veth peer name {net} netns {self.keeper.pid}",
                    f"link set {self.port(net)} master {net} up",
                )
            )
        )
        self.ip(
            "link set lo multicast on up",
            *(f"addr add {net}.{number}/24 dev {name}" for name, net in NETWORKS.items()),
            *(f"link set {name} up" for name in NETWORKS),
        )
        self.run("sh", "-c", f"echo {ASK_AGAIN} > /proc/sys/net/ipv4/neigh/{BUS}/retrans_time_ms")

    def port(self, network: str) -> str:
        """Its port of the switch."""
        return f"{network}{self.number}"

    def cut(self, network: str = BUS) -> None:
        self.switch.ip(f"link set {self.port(network)} down")

    def join(self, network: str = BUS) -> None:
        self.switch.ip(f"link set {self.port(network)} up")


class Network:
    """A switch and its machines; a context."""

    def __init__(self) -> None:
        self.spaces: list[Namespace] = []

    def __enter__(self) -> Network:
        self.switch = self._keep(Namespace())
        self.switch.ip(
            *(
                line
                for net in NETWORKS
                for line in (
                    f"link add {net} type bridge mcast_snooping 0 forward_delay 0",
                    f"link set {net} up",
                )
            )
        )
        return self

    def machine(self) -> Machine:
        made = Machine(self.switch, len(self.spaces))
        self._keep(made)
        return made

    def _keep(self, made: Namespace) -> Namespace:
        self.spaces.append(made)
        return made

    def __exit__(self, *_: object) -> None:
        for each in reversed(self.spaces):
            each.close()


def possible() -> bool:
    """Whether this user, on this kernel, may make such a network."""
    if os.geteuid() != 0 or not OWN.exists():
        return False
    probe = ["unshare", "--net", "ip", "link", "add", "probe", "type", "bridge"]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _enter(space: int) -> None:
    if LIBC.setns(space, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
