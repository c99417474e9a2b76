"""What stands in a server's frame, and the Protobuf of ticker.v1 as the real compiler reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

from ticker.gateway.protocol import protobuf

PROTO = Path(protobuf.__file__).parent / "ticker_v1.proto"


def payload(frame: bytes) -> bytes:
    """What stands in one whole server frame."""
    size, at = frame[1], 2
    if size == 126:
        size, at = int.from_bytes(frame[2:4], "big"), 4
    assert len(frame) == at + size
    return frame[at:]


def server_message_class(folder: Path) -> Any:
    """The class ServerMessage, made by the real compiler from the shipped file."""
    out = folder / "descriptor"
    status = protoc.main(["protoc", f"-I{PROTO.parent}", f"--descriptor_set_out={out}", str(PROTO)])
    assert status == 0
    files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ticker.v1.ServerMessage"))
