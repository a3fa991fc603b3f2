"""Forks, holes and revoked gateways are told, not failed; what is passed off as them is failed."""

from dataclasses import replace
from pathlib import Path

import pytest

from central_sync.audit.report import Report
from central_sync.audit.source import FolderSource
from central_sync.audit.verify import Audit
from central_sync.proofs.entry import FactEntry
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.audit.made import Taken, fact, make, registered
from tests.central_sync.ingest.signed_chain import TEN, S, SignedChain, rows_at

ACCEPTED, BRANCH = Verdict.ACCEPTED, Verdict.BRANCH


def audited(folder: Path, facts: list[FactEntry], taken: list[Taken]) -> Report:
    """Return what the auditor says of an archive of these batches."""
    return Audit(FolderSource(make(folder, facts, taken))).run()


def clone_of(chain: SignedChain) -> SignedChain:
    """Return a copy of a gateway, as a copied card is one."""
    return replace(chain)


def fork_alarm(chain: SignedChain) -> FactEntry:
    """Return the fact that the centre noticed a fork."""
    return alarm(chain, "fork")


def alarm(chain: SignedChain, code: str) -> FactEntry:
    """Return the fact that the centre raised an alarm about a chain."""
    gateway, subject = str(chain.gateway_id), str(chain.position.chain_id)
    return fact("alarm_raised", code=code, gateway=gateway, subject=subject, detail="in words")


@pytest.fixture
def chain() -> SignedChain:
    """A gateway."""
    return SignedChain()


def test_a_fork_is_counted_with_its_branch(tmp_path: Path, chain: SignedChain) -> None:
    begun = [(one, ACCEPTED) for one in chain.batches(2)]
    clone = clone_of(chain)
    main = [(chain.batch(rows_at([TEN + 50 * S])), ACCEPTED) for _ in range(3)]
    branch = [(clone.batch(rows_at([TEN + 60 * S])), BRANCH) for _ in range(2)]
    report = audited(
        tmp_path / "a", [*registered(chain), fork_alarm(chain)], [*begun, *main, *branch]
    )
    assert report.findings == []
    assert (report.counts.forks, report.counts.branches, report.counts.alarms) == (2, 2, 1)


def test_a_branch_whose_beginning_is_missing_needs_the_alarm(
    tmp_path: Path, chain: SignedChain
) -> None:
    begun = [(one, ACCEPTED) for one in chain.batches(2)]
    clone = clone_of(chain)
    main = [(chain.batch(), ACCEPTED) for _ in range(3)]
    clone.batch(rows_at([TEN + 60 * S]))  # never sent
    stray = [(clone.batch(rows_at([TEN + 61 * S])), BRANCH)]
    facts = registered(chain)
    with_alarm = audited(tmp_path / "a", [*facts, fork_alarm(chain)], [*begun, *main, *stray])
    assert with_alarm.findings == []
    without = audited(tmp_path / "b", facts, [*begun, *main, *stray])
    assert [one.detail for one in without.findings] == [
        "names another batch before it than the one that is here"
    ]


def test_a_batch_that_does_not_count_on_needs_the_alarm_of_the_centre(
    tmp_path: Path, chain: SignedChain
) -> None:
    zero, one = chain.batches(2)
    two = chain.forged(chain.batch(moves=False), first_seq=99)
    taken = [(batch, ACCEPTED) for batch in (zero, one, two)]
    facts = registered(chain)
    told = alarm(chain, "chain")
    assert audited(tmp_path / "a", [*facts, told], taken).findings == []
    (finding,) = audited(tmp_path / "b", facts, taken).findings
    assert finding.subject == f"batch 2 of chain {chain.position.chain_id}"
    # So many alarms that the centre told them apart no longer: this may have been one of them.
    others = [replace(told, fields={**told.fields, "subject": f"{n}"}) for n in range(32)]
    assert audited(tmp_path / "c", [*facts, *others], taken).findings == []
    assert not audited(tmp_path / "d", [*facts, *others[1:]], taken).is_passed
    assert finding.detail.startswith("first_seq is 99")


def test_evidence_must_be_what_was_signed_but_not_readable(
    tmp_path: Path, chain: SignedChain
) -> None:
    zero, unfit = chain.batch(), chain.unfit()
    facts = registered(chain)
    taken = [(zero, ACCEPTED), (unfit, Verdict.QUARANTINED)]
    assert audited(tmp_path / "a", facts, taken).findings == []
    damaged = [(zero, ACCEPTED), (replace(unfit, body=zero.body), Verdict.QUARANTINED)]
    (finding,) = audited(tmp_path / "b", facts, damaged).findings
    assert finding.subject.startswith("record 1 of chain")


@pytest.mark.parametrize("kind", ["gateway_revoked", "key_revoked"])
def test_what_came_after_a_revocation_is_counted(
    tmp_path: Path, chain: SignedChain, kind: str
) -> None:
    key_id = chain.key.key_id.hex()
    revoked = fact(kind, gateway=str(chain.gateway_id), key_id=key_id, reason="stolen")
    report = audited(tmp_path / "a", [*registered(chain), revoked], [(chain.batch(), ACCEPTED)])
    assert report.is_passed
    assert report.counts.after_revocation == 1


def test_a_key_that_was_never_registered_is_named(tmp_path: Path, chain: SignedChain) -> None:
    facts = registered(chain)[:2]
    (finding,) = audited(tmp_path / "a", facts, [(chain.batch(), ACCEPTED)]).findings
    assert finding.detail.startswith("key: the log has no key")


def test_a_log_that_began_anew_is_counted(tmp_path: Path, chain: SignedChain) -> None:
    first, *rest = registered(chain)
    again = replace(first, type="log_restarted")
    report = audited(tmp_path / "a", [first, *rest, again], [(chain.batch(), ACCEPTED)])
    assert report.is_passed
    assert report.counts.log_restarts == 1


def test_facts_of_types_that_are_not_known_are_skipped(tmp_path: Path, chain: SignedChain) -> None:
    facts = [*registered(chain), fact("something_new", gateway="not even a UUID")]
    assert audited(tmp_path / "a", facts, [(chain.batch(), ACCEPTED)]).is_passed


def test_batches_from_before_the_log_are_counted(tmp_path: Path, chain: SignedChain) -> None:
    taken = [(one, ACCEPTED) for one in chain.batches(3)]
    archive = make(tmp_path / "a", registered(chain), taken, unlogged=2)
    report = Audit(FolderSource(archive)).run()
    assert report.findings == []
    assert (report.counts.unlogged, report.counts.log_entries) == (2, 4)
