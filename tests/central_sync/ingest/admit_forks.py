"""The decision table of docs/wire-format.md section 12: what is on a branch."""

from dataclasses import replace

from central_sync.store.admission import Unread
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.ingest.admit_frames import (
    AFTER_ZERO,
    BEHIND_BRANCH,
    BRANCH_TWO,
    CONTINUES,
    FORGED_ONE,
    FORGED_ZERO,
    HEADSTONE,
    NOTHING,
    ONE,
    STRANGE_ONE,
    THREE,
    UNFIT,
    ZERO,
    candidate,
    known,
    standing,
)
from tests.central_sync.ingest.admit_table import Row
from tests.central_sync.ingest.signed_chain import LATER

FORKS = [
    Row(
        "a taken number is a fork, and stored beside",
        candidate(FORGED_ONE),
        replace(AFTER_ZERO, beside=(standing(ONE),)),
        "keep branch beside fork",
    ),
    Row(
        "what follows a branch is on it",
        candidate(BRANCH_TWO),
        BEHIND_BRANCH,
        "keep branch beside fork",
    ),
    Row(
        "a second beginning of a chain is a fork",
        candidate(FORGED_ZERO),
        replace(NOTHING, beside=(standing(ZERO, is_behind=False),)),
        "keep branch beside fork",
    ),
    Row(
        "a genesis that continues a branch is the main line of its own chain",
        candidate(ZERO, CONTINUES),
        replace(NOTHING, before=known(THREE, Verdict.BRANCH, is_branch=True)),
        "keep accepted",
    ),
    Row(
        "a number that only a branch has is free for the main line",
        candidate(ONE),
        replace(AFTER_ZERO, beside=(standing(STRANGE_ONE, is_behind=False),)),
        "keep accepted",
    ),
    Row(
        "a taken number behind an announced hole is a fork",
        candidate(FORGED_ONE, flags=LATER),
        replace(NOTHING, beside=(standing(ONE, is_behind=False),)),
        "keep branch beside hole 0 fork",
    ),
    Row(
        "behind an announced hole where the main line goes on with another batch, a fork",
        candidate(BRANCH_TWO, flags=LATER),
        replace(NOTHING, main_before=ONE.batch_hash, head_no=1),
        "keep branch beside hole 1 fork",
    ),
    Row(
        "a gap comes before a fork: the forked line is read from its beginning",
        candidate(FORGED_ONE, Unread()),
        replace(NOTHING, beside=(standing(ONE, is_behind=False),), head_no=3),
        "409 gap expected 0",
        is_read=False,
    ),
    Row(
        "unfit content on a branch is evidence",
        candidate(FORGED_ONE, UNFIT),
        replace(AFTER_ZERO, beside=(standing(ONE),)),
        "keep quarantined beside fork content",
    ),
    Row(
        "a headstone on a branch is a headstone",
        candidate(FORGED_ONE, flags=HEADSTONE),
        replace(AFTER_ZERO, beside=(standing(ONE),)),
        "keep headstone beside fork",
    ),
    Row(
        "the readings of a headstone on a branch are a branch",
        candidate(FORGED_ONE),
        replace(AFTER_ZERO, same=known(FORGED_ONE, Verdict.HEADSTONE, is_branch=True)),
        "keep branch completes beside",
    ),
    Row(
        "a batch of a branch that comes again gets the same receipt",
        candidate(FORGED_ONE, Unread()),
        replace(AFTER_ZERO, same=known(FORGED_ONE, Verdict.BRANCH, is_branch=True)),
        "repeat",
        is_read=False,
    ),
]
