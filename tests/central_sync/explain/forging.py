"""Explains the hour of 10:00, and changes the database behind our back."""

import sqlite3

from central_sync.explain import Explainer, Explanation
from central_sync.model import HourlyRevision
from central_sync.programs.plan import Plan
from tests.central_sync.evaluate.signing_gateway import (
    HOUR,
    TEN,
    Centre,
)


def revision(centre: Centre) -> HourlyRevision:
    (found,) = centre.store.hourly(facility=None, channel=1, from_ns=TEN, to_ns=TEN + HOUR)
    return found


def explanation(centre: Centre, plan: Plan | None = None) -> Explanation:
    explainer = Explainer(store=centre.store, plan=plan or Plan(), receipt_key=centre.receipt_key)
    return explainer.explain(revision(centre))


def failed(found: Explanation) -> set[str]:
    assert found.is_passed == all(step.is_passed for step in found.steps)
    return {step.title for step in found.steps if not step.is_passed}


def forge(centre: Centre, sql: str, *values: object) -> None:
    with sqlite3.connect(centre.settings.database) as database:
        assert database.execute(sql, values).rowcount > 0
    database.close()
