"""What a person reads of a status: moments, not nanoseconds."""

import pytest

from edge_agent.technician.in_words import in_words

AT_NS = 1_795_264_818_079_420_647  # 2026-11-21 12:40:18 UTC, by date(1)


def test_a_status_is_told_by_parts() -> None:
    status: dict[str, object] = {
        "at_ns": AT_NS,
        "devices": [{"name": "stack-1", "last_ok_ns": AT_NS, "misses": 2, "last_error": None}],
        "clock": {"skew_ns": -1_500_000_000, "is_set": False, "error_ms": None},
        "alarms": [],
    }
    assert in_words(status).splitlines() == [
        "at: 2026-11-21 12:40:18Z",
        "devices: 1",
        "  name stack-1, last_ok 2026-11-21 12:40:18Z, misses 2",
        "clock",
        "  skew: -1.500 s",
        "  is_set: no",
        "  error_ms: none",
        "alarms: 0",
    ]


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (11.84119850187266, "11.84"),
        ("", "none"),
        (["a", "b"], "a, b"),
        ([], "none"),
        ({"folders": 0, "reason": None}, "folders 0"),
    ],
)
def test_a_fact_is_told_shortly(fact: object, text: str) -> None:
    assert in_words({"part": {"name": fact}}) == f"part\n  name: {text}"
