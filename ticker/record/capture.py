"""A capture through a feed's pipeline onto the disk: each publication is gathered before the next.

In: blocks of a capture. Out: the files of a Tape. No ring laps anybody here.
"""

from __future__ import annotations

from collections.abc import Iterable

from ticker.feeds.workers.pipeline import Pipeline
from ticker.record.tape import Tape


def record_file(pipeline: Pipeline, blocks: Iterable[tuple[bytes, int, int]], tape: Tape) -> None:
    """Run all blocks through the pipeline, record its events, and complete the tape.

    Raises:
        OSError: the disk does not take it.
    """
    receive_time = 0
    for block, receive_time, line in blocks:
        pipeline.session.receive_data(block, line, receive_time)
        pipeline.market.publish(receive_time)
        tape.gather(whole=True)
        tape.write()
    pipeline.session.end_of_data(receive_time)
    pipeline.market.publish(receive_time)
    tape.look()
    tape.gather(whole=True)
    tape.take(last=True)
    tape.close()
