"""The whole gateway on a disk that is filled under it: it polls on, sends on and recovers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.installation import wait_until
from tests.system.small_disk import LACKING, alarms, on_small_disk, until_it_hurts, until_more

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.root
@pytest.mark.system
@pytest.mark.skipif(bool(LACKING), reason=f"NO FULL DISK UNDER AN AGENT: no {', '.join(LACKING)}")
def test_an_agent_on_a_full_disk_polls_on_sends_on_and_recovers_alone(tmp_path: Path) -> None:
    with on_small_disk(tmp_path, size_mib=48, seed=1) as (one, witness, disk):
        for _ in range(2):
            until_it_hurts(one, disk)
            until_more(witness)
        (disk / "filler").unlink()
        wait_until("no alarm", lambda: not alarms(one) - {"clock_untrusted"}, limit_s=30)
        assert (disk / "buffer.db.ballast").exists()
        witness.look()
        wait_until("nothing waits", lambda: witness.unreceipted() <= 1, limit_s=30)
        assert one.stop("agent") == 0
        witness.look()
        report = witness.verdict()
        assert report["exit_code"] == 0, report
