"""Status words that are put together of bits of several registers, taken out of answers. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np

from edge_agent.config.protocols.modbus import StatusWord
from edge_agent.wire.vocabulary import UInt32Array

# Where the most and the least significant byte of a register are, among the octets of a scan.
Octets = tuple[int, int]


class Composition:
    """Puts the status words of some points together, by one gather for all parts."""

    def __init__(
        self,
        words: Sequence[tuple[int, StatusWord]],
        places: Mapping[tuple[int, int], Octets],
        nowhere: int,
    ) -> None:
        """Plan what is taken from where.

        Args:
            words: index of a point and its status word, at least one, by rising index.
            places: where each part is, by index of point and part; a part that is nowhere is 0.
            nowhere: index of an octet that is 0.

        """
        parts = [(index, at, part) for index, word in words for at, part in enumerate(word.parts)]
        octets = [places.get((index, at), (nowhere, nowhere)) for index, at, _ in parts]
        self._high = np.array([high for high, _ in octets], np.intp)
        self._low = np.array([low for _, low in octets], np.intp)
        self._first_bit = np.array([part.first_bit for _, _, part in parts], np.uint32)
        self._mask = np.array([(1 << part.width) - 1 for _, _, part in parts], np.uint32)
        self._at_bit = np.array([part.at_bit for _, _, part in parts], np.uint32)
        self._points = np.array([index for index, _ in words], np.intp)
        counts = [len(word.parts) for _, word in words]
        self._starts = np.cumsum([0, *counts[:-1]])

    def put(
        self, octets: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], status: UInt32Array
    ) -> UInt32Array:
        """Return the status words of all points: those given, with the ones put together."""
        registers = octets.take(self._high).astype(np.uint32) << np.uint32(8)
        registers |= octets.take(self._low)
        bits = (registers >> self._first_bit & self._mask) << self._at_bit
        whole = status.copy()
        whole[self._points] = np.bitwise_or.reduceat(bits, self._starts)
        return whole
