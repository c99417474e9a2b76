"""A feed's segment from the frames of its speaker: what a bridge writes.

In: frames. Out: rows, then rings; `ring` wakes the gateways. Law: no I/O and no clock.

1. A frame of an epoch below the highest one taken changes nothing. Another box in the same epoch
   changes nothing either: the first that was heard speaks.
2. In an epoch, a delta is taken only behind the one before it. One that is further ahead waits for
   those between, or for an image, which ends the gap; what then never came is lost, and the ledger
   of gaps has it.
3. In a new epoch nothing of a shard is taken before its image, and that is merged with what was
   shown (shm/values.pxd). Numbers that count go on from what was shown.
4. A frame changes something as a whole or not at all. With a log its trades may come later than its
   rows: after a gap, and where a predecessor stopped, they wait for those that the log gives (late.pyx).
5. A shard that is not followed has images alone. They skip what was between them, which is no gap.

Bound: MOST_HELD bytes of frames wait; a shard for which there is no room waits for its image.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.cluster.frame cimport (
    BODY_OFFSET,
    FAULT_NONE,
    FEED_WORDS,
    FRAME_DELTA,
    FRAME_IMAGE,
    FRAME_STATE,
    LIFE_BITS,
    FeedWords,
    FrameHead,
    find_fault,
)
from ticker.cluster.heard cimport HeardRows
from ticker.cluster.late cimport Late
from ticker.cluster.parts cimport Part, Parts, show_feed
from ticker.shm.atomics cimport load_acquire, store_release
from ticker.shm.counters cimport (
    FEED_BAD_PACKETS,
    FEED_BYTES,
    FEED_DOORBELLS,
    FEED_DUPLICATE_MESSAGES,
    FEED_HISTOGRAM_RECEIVE_TO_PUBLISH,
    FEED_IMAGES,
    FEED_OTHER_SESSION_PACKETS,
    FEED_PACKETS,
    FEED_SESSIONS,
    count,
    record_duration,
)
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.gaps cimport GapLedger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport FEED_ENDED, WHY_NOT_STARTED
from ticker.shm.shards.sharding cimport Sharding

from ticker.cluster.pieces import Pieces

cdef enum:
    MOST_HELD = 4 << 20


cdef class Incoming:
    """The one writer of the segment `mapping`; goes on where a predecessor stopped.

    Args:
        feed: identity of the feed (frame.pyx).
        shards: among which symbols are spread; the same in the whole cluster.
        ringer: rings the gateways.
        pinned: symbols with a shard of their own, behind the others.

    Attributes:
        epoch: the highest that was taken, by this process or a predecessor; 0: none.
        speaker_state, speaker_why: a FeedLiveness and a StaleReason, as the speaker shows them.
    """

    def __cinit__(
        self, Mapping mapping not None, feed: int, shards: int, DoorbellRinger ringer = None,
        pinned: tuple[str, ...] = (),
    ) -> None:
        cdef Sharding sharding = Sharding(shards, pinned)
        self.mapping = mapping
        self.rows = HeardRows(mapping, sharding)
        self.state = mapping.feed_state()
        self.counters = mapping.counters
        self.ringer = ringer
        self.ledger = GapLedger(mapping)
        self.late = Late(mapping, self.rows, self.ledger)
        self.feed = feed
        self.shard_count = sharding.count
        self.shards = Parts(self.shard_count)
        self.parts = self.shards.parts
        self.held = [{} for _ in range(self.shard_count)]
        self.pieces = Pieces()
        self.epoch = load_acquire(&self.state.resume_session[0])
        self.boot = load_acquire(&self.state.resume_session[1])
        self.resumed = self.epoch > 0

    def watch(self) -> None:
        """The ledger of gaps notes what the clients of the gateways feel."""
        self.ledger.watch(self.ringer)

    def use_log(self, found: int) -> Late:
        """There is a log: trades of frames that never came are to be recalled. `found`: ns of the
        newest sign of life of a predecessor, 0: there was none."""
        cdef int64_t told
        self.logged = True
        self.found = found
        self.resumed = self.resumed and found > 0
        if self.resumed:
            told = self.late.learn_told()
            self.found = min(told, self.found) if told else self.found
        return self.late

    def recall(self, bytes frame not None, now: int, shard: int = -1) -> int:
        """Take a frame that the log gives; a Verdict."""
        cdef const uint8_t* at = frame
        cdef FrameHead head
        if find_fault(at, len(frame), self.feed) != FAULT_NONE:
            return self._refuse()
        memcpy(&head, at, sizeof(FrameHead))
        if head.shard >= self.shard_count or shard != head.shard or head.kind != FRAME_DELTA:
            return self._refuse()
        if head.epoch != self.epoch or head.boot != self.boot:
            return VERDICT_OLD
        if self.late.owes(head.shard):
            if self.late.keep(head.shard, head.batch, frame, True, self.epoch, now):
                return VERDICT_TAKEN
        return VERDICT_DUPLICATE

    def owing(self) -> list[int]:
        """The shards whose trades wait for the log."""
        return self.late.shards()

    def forgive(self, now: int) -> int:
        """The log has no more: what is missing is lost; the frames that are."""
        cdef uint64_t before = self.late.lost
        for shard in self.late.shards():
            self.late.forgive(shard, self.epoch, now)
        return self.late.lost - before

    def skip(self, now: int, shard: int) -> int:
        """The frames before those that wait never come, and no image is to be had: go on behind the
        hole, of which the rows are whole again with the next image; the frames that are lost."""
        cdef uint32_t number = shard
        cdef Part* part = &self.parts[number]
        cdef uint64_t lost = self.late.lost
        cdef dict held = self.held[number]
        if not part.whole or not held:
            return 0
        self.late.owe(number, part.batch, min(held) - 1, part.published, False)
        part.batch = min(held) - 1
        part.torn = True
        self.late.forgive(number, self.epoch, now)
        self._drain(number, now)
        return self.late.lost - lost

    def settle(self, now: int) -> None:
        """Close the books of gaps that are over, and tell readers of trades that are lost."""
        self.ledger.settle(now)
        self.late.tell_holes(now)

    @property
    def batches(self) -> list[int]:
        """The number of each shard's newest frame that was taken in this epoch."""
        return self.shards.batches()

    def wanting(self) -> list[int]:
        """The shards that need an image."""
        return self.shards.wanting(self.held)

    def follow(self, shard: int, followed: bool) -> None:
        """From now on deltas of the shard come, or do not. All shards are followed at first."""
        cdef Part* part = self.shards.of(shard)
        part.joining = followed and not part.followed
        part.followed = followed
        if not followed:
            self._drop_held(shard, <uint64_t>-1)

    def outdated(self, before: int) -> list[int]:
        """The shards that are not followed, of which there is something newer than their image, and
        that had none since `before`, a time as `take` has it."""
        return self.shards.outdated(before)

    def take(self, bytes frame not None, now: int, shard: int = -1) -> int:
        """Take a delta or an image; a Verdict. `shard`: that of the subject it came by."""
        cdef const uint8_t* at = frame
        cdef FrameHead head
        cdef Verdict verdict
        cdef int64_t time = now
        count(self.counters, FEED_PACKETS, 1)
        count(self.counters, FEED_BYTES, len(frame))
        if find_fault(at, len(frame), self.feed) != FAULT_NONE:
            return self._refuse()
        memcpy(&head, at, sizeof(FrameHead))
        if head.shard >= self.shard_count or (shard >= 0 and shard != head.shard):
            return self._refuse()
        if head.kind != FRAME_DELTA and head.kind != FRAME_IMAGE:
            return self._refuse()
        verdict = self._pass(&head, now)
        if verdict != VERDICT_TAKEN:
            count(self.counters, FEED_OTHER_SESSION_PACKETS, 1)
            return verdict
        if head.kind == FRAME_IMAGE:
            verdict = self._image(frame, &head, time)
        else:
            verdict = self._delta(frame, &head, time)
        if verdict == VERDICT_DUPLICATE:
            count(self.counters, FEED_DUPLICATE_MESSAGES, 1)
        elif verdict == VERDICT_REFUSED:
            count(self.counters, FEED_BAD_PACKETS, 1)
        elif verdict == VERDICT_TAKEN and head.kind == FRAME_DELTA:
            record_duration(
                self.mapping.histograms, FEED_HISTOGRAM_RECEIVE_TO_PUBLISH, time - head.publish_time
            )
        return verdict

    def take_state(self, bytes frame not None, now: int) -> int:
        """Take what the speaker says of the feed as a whole; a Verdict."""
        cdef const uint8_t* at = frame
        cdef FrameHead head
        cdef FeedWords words
        cdef Verdict verdict
        cdef uint32_t shard
        if find_fault(at, len(frame), self.feed) != FAULT_NONE:
            return self._refuse()
        memcpy(&head, at, sizeof(FrameHead))
        if (head.kind != FRAME_STATE
                or (head.length - BODY_OFFSET) // 8 != FEED_WORDS + self.shard_count):
            return self._refuse()
        verdict = self._pass(&head, now)
        if verdict != VERDICT_TAKEN:
            count(self.counters, FEED_OTHER_SESSION_PACKETS, 1)
            return verdict
        memcpy(&words, at + BODY_OFFSET, sizeof(FeedWords))
        for shard in range(self.shard_count):
            memcpy(&self.parts[shard].said, at + BODY_OFFSET + 8 * (FEED_WORDS + shard), 8)
        self.speaker_state = <int>min(words.state, <uint64_t>FEED_ENDED)
        self.speaker_why = <int>min(words.why, <uint64_t>WHY_NOT_STARTED)
        show_feed(self.state, &words, head.publish_time, now)
        return verdict

    def _refuse(self) -> int:
        count(self.counters, FEED_BAD_PACKETS, 1)
        return VERDICT_REFUSED

    def ring(self) -> None:
        """Wake the gateways, if something has changed since the last time."""
        if self.rows.changed and self.ringer is not None:
            count(self.counters, FEED_DOORBELLS, <uint64_t>self.ringer.ring())
        self.rows.changed = False

    # -- epochs and batches -----------------------------------------------------------------

    cdef Verdict _pass(self, const FrameHead* head, int64_t now) except *:
        if head.epoch < self.epoch or not head.epoch:
            return VERDICT_OLD
        if head.epoch > self.epoch:
            self._begin(head.epoch, head.boot, now)
        elif head.boot != self.boot:
            return VERDICT_OTHER
        return VERDICT_TAKEN

    cdef int _begin(self, uint64_t epoch, uint64_t boot, int64_t now) except -1:
        cdef uint32_t shard
        self.forgive(now)
        self.resumed = False
        self.rows.forget_numbers(boot >> LIFE_BITS != self.boot >> LIFE_BITS)
        # the epoch last: who has it has the boot
        store_release(&self.state.resume_session[1], boot)
        store_release(&self.state.resume_session[0], epoch)
        self.epoch = epoch
        self.boot = boot
        for shard in range(self.shard_count):
            self._drop_held(shard, <uint64_t>-1)
        self.pieces = Pieces()
        self.shards.begin()
        count(self.counters, FEED_SESSIONS, 1)
        return 0

    cdef Verdict _delta(self, bytes frame, const FrameHead* head, int64_t now) except *:
        cdef Part* part = &self.parts[head.shard]
        if part.whole and head.batch <= part.batch:
            return VERDICT_DUPLICATE
        if not part.whole or head.batch != part.batch + 1:
            return self._hold(frame, head)
        if not self.rows.learn_names(frame):
            return VERDICT_REFUSED
        if not self.rows.knows(frame):
            return self._hold(frame, head)
        self._apply(frame, head, now)
        if self.held[head.shard]:
            self._drain(head.shard, now)
        return VERDICT_TAKEN

    cdef int _apply(self, bytes frame, const FrameHead* head, int64_t now) except -1:
        """The next delta of a shard."""
        cdef Part* part = &self.parts[head.shard]
        cdef bint waits = self.late.owes(head.shard)
        self.rows.apply(frame, False, False, not waits)
        part.batch = head.batch
        part.published = head.publish_time
        part.joining = False
        if waits:
            self.late.keep(head.shard, head.batch, frame, False, self.epoch, now)
        return 0

    cdef Verdict _hold(self, bytes frame, const FrameHead* head) except *:
        cdef dict held = self.held[head.shard]
        if not self.parts[head.shard].followed:  # on its way when it was given up
            return VERDICT_DUPLICATE
        if head.batch in held:
            return VERDICT_DUPLICATE
        if self.held_bytes + head.length > MOST_HELD:
            self._drop_held(head.shard, <uint64_t>-1)
            self.parts[head.shard].said = max(self.parts[head.shard].said, head.batch)
            return VERDICT_HELD
        held[head.batch] = frame
        self.held_bytes += head.length
        return VERDICT_HELD

    cdef int _drop_held(self, uint32_t number, uint64_t batch) except -1:
        """Those up to `batch`."""
        cdef dict held = self.held[number]
        for each in [each for each in held if each <= batch]:
            self.held_bytes -= <size_t>len(held.pop(each))
        return 0

    cdef int _drain(self, uint32_t number, int64_t now) except -1:
        """Take what waited for what has come."""
        cdef Part* part = &self.parts[number]
        cdef dict held = self.held[number]
        cdef bytes frame
        self._drop_held(number, part.batch)
        while part.batch + 1 in held:
            frame = held[part.batch + 1]
            if not self.rows.learn_names(frame) or not self.rows.knows(frame):
                return 0
            self._apply(frame, <const FrameHead*><const char*>frame, now)
            self._drop_held(number, part.batch)
        return 0

    cdef Verdict _image(self, bytes frame, const FrameHead* head, int64_t now) except *:
        cdef Part* part = &self.parts[head.shard]
        cdef bint first = not part.whole
        cdef bytes each
        cdef list pieces
        cdef bint news = part.torn or len(<dict>self.held[head.shard]) > 0
        cdef bint skips = not part.followed or part.joining
        if part.whole and head.batch >= part.batch:
            part.seen = now
        if part.whole and (head.batch < part.batch or (head.batch == part.batch and not news)):
            return VERDICT_DUPLICATE
        pieces = self.pieces.add(head.shard, head.batch, head.part, head.parts, frame)
        if pieces is None:
            return VERDICT_HELD
        for each in pieces:
            if not self.rows.learn_names(each):
                return VERDICT_REFUSED
        for each in pieces:
            if not self.rows.knows(each):
                return VERDICT_REFUSED
        self.rows.images += 1
        self.rows.skips = skips and not first
        for each in pieces:
            self.rows.apply(each, True, first, False)
        self.rows.skips = False
        if not skips and (not first or (self.logged and self.resumed)):
            self._owe(head.shard, head.batch, now)
        elif not skips:
            self.late.note(head.shard, now)
        if first:
            self.rows.forsake(head.shard)
        part.whole = True
        part.torn = part.joining = False
        part.seen = now
        part.batch = head.batch
        part.published = head.publish_time
        self._drain(head.shard, now)
        count(self.counters, FEED_IMAGES, 1)
        return VERDICT_TAKEN

    cdef int _owe(self, uint32_t number, uint64_t batch, int64_t now) except -1:
        """An image has the rows up to `batch`. The trades of frames that came are told when the log
        has given those between; without a log they are told now, and the others are lost."""
        cdef Part* part = &self.parts[number]
        cdef dict held = self.held[number]
        if part.batch == batch and part.whole:
            return 0
        self.late.owe(
            number, part.batch, batch, part.published if part.whole else self.found, not part.whole
        )
        for each in sorted(held):
            if each <= batch and self.late.owes(number):
                self.late.keep(number, each, held[each], False, self.epoch, now)
        if not self.logged and self.late.owes(number):
            self.late.forgive(number, self.epoch, now)
        return 0
