"""An hour whose batches were sealed is explained, and computed again, from their segment."""

from central_sync.store.segments import SegmentFolder
from central_sync.witness.sealing import Sealer
from tests.central_sync.evaluate.signing_gateway import GATEWAY, HOUR, TEN, Centre
from tests.central_sync.explain.forging import explanation, failed

DAY = 24 * HOUR


def test_a_sealed_hour_is_explained_and_comes_out_the_same(computed: Centre) -> None:
    before = computed.store.hourly(facility=None, channel=None, from_ns=TEN, to_ns=TEN + HOUR)
    computed.clock.now_ns += 3 * DAY
    folder = SegmentFolder(computed.settings.segments)
    sealer = Sealer(store=computed.store, folder=folder, now_ns=computed.clock, seal_after_ns=DAY)
    assert sealer.run() == 6
    found = explanation(computed)
    assert failed(found) == set()
    assert [one.batch_no for one in found.batches] == [1, 2, 3, 4]
    computed.store.mark_dirty(GATEWAY, TEN, TEN + HOUR)
    computed.compute()
    after = computed.store.hourly(facility=None, channel=None, from_ns=TEN, to_ns=TEN + HOUR)
    assert [one.value for one in after] == [one.value for one in before]
