"""Main line and branches of a chain, read from the hashes; pure.

At each number of a chain at most one batch is on the main line. Every batch that is stored and not
on it is on a branch. Which is which can change while batches are missing, and only then.
"""

from collections.abc import Sequence
from uuid import UUID

from central_sync.model import AlarmCode
from central_sync.store.admission import Standing, Warned
from edge_agent.wire.vocabulary import Hash


def main_at(standing: Sequence[Standing], main_before: Hash | None) -> Hash | None:
    """Return which batch of one number is on the main line; None when none of them is.

    It is the first stored of those that name the main line's batch one number lower. Where the
    main line has none there, it is the first stored of those whose own previous batch is missing:
    what fills the hole decides later.

    Args:
        standing: the batches at the number, the one stored first first.
        main_before: the main line's batch one number lower; None when it has none, or for 0.

    """
    for one in standing:
        if one.prev_batch_hash == main_before or (main_before is None and not one.is_behind):
            return one.batch_hash
    return None


def fork_alarm(chain_id: UUID, batch_no: int) -> Warned:
    """Return the alarm that goes with a batch on a branch."""
    detail = f"chain {chain_id} has two lines: batch {batch_no} is not on the first of them"
    return Warned(code=AlarmCode.FORK, subject=str(chain_id), detail=detail)
