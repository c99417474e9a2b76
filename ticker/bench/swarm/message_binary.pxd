"""What a client reads out of one message in MessagePack or Protobuf."""

from libc.stdint cimport uint8_t

from ticker.bench.swarm.message cimport Message


cdef void read_msgpack(const uint8_t* data, size_t length, Message* out) noexcept nogil
cdef void read_protobuf(const uint8_t* data, size_t length, Message* out) noexcept nogil
