"""Sending through a TLS session, to a socket that may be full.

Law: a record that was made has to be sent, for the next one counts on it; so only as much is
encrypted as the socket takes, and all else waits in plain, where a last word can replace it.
Both functions take the GIL themselves: a caller with a `with gil` of its own would take it for
every connection, also for one without TLS.
"""

from cpython.object cimport PyObject
from libc.errno cimport EAGAIN, errno
from libc.stdint cimport uint8_t, uint64_t

from ticker.gateway.sockets.sockets cimport MSG_DONTWAIT, MSG_NOSIGNAL, send
from ticker.shm.counters cimport GATEWAY_BYTES_SENT, count

from ticker.gateway.sockets import tls as session

cdef size_t RECORD = session.RECORD


cdef ssize_t seal(
    int fd, PyObject* tls, const uint8_t* data, size_t length, uint64_t* counters,
    uint8_t* waits,
) noexcept with gil:
    """Encrypt and send a record at a time, until one waits: how many bytes that were; -1: the
    socket or the session is broken. `tls` is a TlsSession, whose `unsent` holds what waits;
    `waits` is then 1."""
    held = <object>tls
    cdef size_t at = 0
    cdef size_t end
    while at < length and not held.unsent:
        end = min(at + RECORD, length)
        try:
            held.unsent = held.encrypt(data[at:end])
        except session.TlsError:
            return -1
        if not push_records(fd, tls, counters, waits):
            return -1
        at = end
    return at


cdef bint push_records(
    int fd, PyObject* tls, uint64_t* counters, uint8_t* waits
) noexcept with gil:
    """Send the records that wait; `waits`: whether some still do. False: the socket is broken."""
    held = <object>tls
    cdef bytes records = held.unsent
    cdef ssize_t sent = send(
        fd, <const uint8_t*>records, len(records), MSG_NOSIGNAL | MSG_DONTWAIT
    )
    if sent < 0:
        if errno != EAGAIN:
            return False
        sent = 0
    count(counters, GATEWAY_BYTES_SENT, sent)
    held.unsent = records[sent:]
    waits[0] = sent < len(records)
    return True
