"""Quality words put together: the worst class wins, the higher phase number, all reasons stay.

Pure functions on the words of docs/wire-format.md section 7.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edge_agent.config.device import StatusRule
from edge_agent.wire.vocabulary import NO_VALUE, BoolArray, QualityClass, Reason, UInt32Array

CLASS: Final = np.uint32(0x7)
PHASE: Final = np.uint32(0xF0)
REST: Final = np.uint32(0xFFFF_FF08)
# The driver read no status word, so 0 is not what the device said (drivers.registers).
STATUS_LACKING: Final = np.uint32(NO_VALUE | Reason.NO_FLAGS)


def combined(first: UInt32Array, second: UInt32Array) -> UInt32Array:
    """Return two verdicts on the same readings as one; shape (n,).

    Of two phases the higher number stays: it says more about why the stack is not measured
    (maintenance rather than zero check, and unknown above all).
    """
    worst: UInt32Array = np.maximum(first & CLASS, second & CLASS)
    phase: UInt32Array = np.maximum(first & PHASE, second & PHASE)
    return worst | phase | ((first | second) & REST)


def marked(
    quality: UInt32Array, where: BoolArray, worst: QualityClass, reason: Reason
) -> UInt32Array:
    """Return the words with a reason, and at least this class, where the mask is set."""
    worse = np.maximum(quality & CLASS, np.uint32(worst)) | (quality & ~CLASS) | np.uint32(reason)
    return np.where(where, worse, quality)


def status_quality(word: int, rules: Sequence[StatusRule]) -> int:
    """Return what a device's status word says about a value, by the rules of its channel."""
    quality = 0
    matched = {rule.mask for rule in rules if not rule.is_otherwise and _matches(word, rule)}
    for rule in rules:
        if rule.mask not in matched if rule.is_otherwise else _matches(word, rule):
            quality = _joined(quality, rule.quality)
    return quality


def _matches(word: int, rule: StatusRule) -> bool:
    return word & rule.mask == rule.value


def _joined(first: int, second: int) -> int:
    classes = max(first & 0x7, second & 0x7)
    phases = max(first & 0xF0, second & 0xF0)
    return classes | phases | (first | second) & 0xFFFF_FF08
