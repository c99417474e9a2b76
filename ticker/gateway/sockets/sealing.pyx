"""Sending through a TLS session, to a socket that may be full.

Law: a record that was made has to be sent, for the next one counts on it; so only as much is
encrypted as the socket takes, and all else waits in plain, where a last word can replace it.
"""

from libc.errno cimport EAGAIN, errno
from libc.stdint cimport uint8_t, uint64_t

from ticker.gateway.sockets.sockets cimport MSG_DONTWAIT, MSG_NOSIGNAL, send
from ticker.shm.counters cimport GATEWAY_BYTES_SENT, count

from ticker.gateway.sockets import tls as session

cdef size_t RECORD = session.RECORD


cdef ssize_t seal(
    int fd, object tls, const uint8_t* data, size_t length, uint64_t* counters
) noexcept:
    """Encrypt and send a record at a time, until one waits: how many bytes that were; -1: the
    socket or the session is broken. `tls` is a TlsSession, whose `unsent` holds what waits."""
    cdef size_t at = 0
    cdef size_t end
    while at < length and not tls.unsent:
        end = min(at + RECORD, length)
        try:
            tls.unsent = tls.encrypt(data[at:end])
        except session.TlsError:
            return -1
        if not push_records(fd, tls, counters):
            return -1
        at = end
    return at


cdef bint push_records(int fd, object tls, uint64_t* counters) noexcept:
    """Send the records that wait; False: the socket is broken."""
    cdef bytes records = tls.unsent
    cdef ssize_t sent = send(
        fd, <const uint8_t*>records, len(records), MSG_NOSIGNAL | MSG_DONTWAIT
    )
    if sent < 0:
        if errno != EAGAIN:
            return False
        sent = 0
    count(counters, GATEWAY_BYTES_SENT, sent)
    tls.unsent = records[sent:]
    return True
