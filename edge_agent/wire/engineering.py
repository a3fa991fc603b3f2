"""Values out of raw words: the one function that the edge judges with and the centre reports from.

A value is an integer count of its channel's resolution, exact to the last step, on every machine
and for ever: docs/calculations.md section 3. Nothing is judged here.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from edge_agent.wire.linear import Coefficients, FloatLine, IntegerLine, Line
from edge_agent.wire.vocabulary import BoolArray, Int64Array
from edge_agent.wire.words import Reader, bit_of, bit_reader, number_reader


class Coding(Protocol):
    """How the raw words of a channel become values; `ChannelRow` says what the words mean."""

    @property
    def raw_type(self) -> str: ...  # noqa: D102 - see ChannelRow

    @property
    def word_order(self) -> str: ...  # noqa: D102 - see ChannelRow

    @property
    def scale(self) -> str: ...  # noqa: D102 - see ChannelRow

    @property
    def offset(self) -> str: ...  # noqa: D102 - see ChannelRow

    @property
    def resolution(self) -> str: ...  # noqa: D102 - see ChannelRow


class Scaling:
    """Reads the raw words of some channels as integers in steps of each channel's resolution.

    The integer of a word is `(number x scale + offset) / resolution`, computed exactly and rounded
    half away from zero (docs/calculations.md section 3). There is none (mask False, integer 0)
    where the word is not a finite number, or where the integer is beyond 2^53 in size.
    """

    def __init__(self, channels: Sequence[Coding]) -> None:
        self._shape = None if len(channels) == 1 else (len(channels),)
        indices: dict[tuple[str, str], list[int]] = {}
        for index, row in enumerate(channels):
            indices.setdefault(_kind(row), []).append(index)
        self._groups = [
            _Group([channels[index] for index in group], group) for group in indices.values()
        ]

    def integers(self, raw: Int64Array) -> tuple[Int64Array, BoolArray]:
        """Return the integers of raw words, and where there is one.

        Args:
            raw: raw words (docs/wire-format.md section 6): shape (n,) for n channels, one word of
                each in their order; any shape for one channel.

        Returns:
            Integers in steps of the resolution, 0 where there is none; True where there is one.
            Both in the shape of raw.

        Raises:
            ValueError: raw has another shape than (n,).

        """
        if self._shape is None:
            integers, is_number = self._groups[0].integers(raw.reshape(-1))
            return integers.reshape(raw.shape), is_number.reshape(raw.shape)
        if raw.shape != self._shape:
            raise ValueError(f"raw has shape {raw.shape}, must have {self._shape}")
        if len(self._groups) == 1:
            return self._groups[0].integers(raw)
        integers = np.empty(self._shape, dtype=np.int64)
        is_number = np.empty(self._shape, dtype=np.bool_)
        for group in self._groups:
            integers[group.indices], is_number[group.indices] = group.integers(raw[group.indices])
        return integers, is_number


class _Group:
    """The channels of one type and word order: read together, each on its own line."""

    def __init__(self, rows: Sequence[Coding], indices: Sequence[int]) -> None:
        self.indices = np.array(indices)
        self._read = _reader(rows)
        coefficients = [
            Coefficients.of(scale=row.scale, offset=row.offset, resolution=row.resolution)
            for row in rows
        ]
        is_float = rows[0].raw_type.startswith("float")
        self._line: Line = FloatLine(coefficients) if is_float else IntegerLine(coefficients)

    def integers(self, raw: Int64Array) -> tuple[Int64Array, BoolArray]:
        return self._line.values(self._read(raw))


def _kind(row: Coding) -> tuple[str, str]:
    """Return what channels that are read together have in common."""
    return ("bit", "") if bit_of(row.raw_type) is not None else (row.raw_type, row.word_order)


def _reader(rows: Sequence[Coding]) -> Reader:
    bits = [bit for row in rows if (bit := bit_of(row.raw_type)) is not None]
    return bit_reader(bits) if bits else number_reader(rows[0].raw_type, rows[0].word_order)
