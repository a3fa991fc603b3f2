"""Raw words read as numbers: types and word orders, nothing of scale or unit.

Raw stays as the device sent it (docs/wire-format.md section 6); here it is read under a type and a
word order, both of which may be corrected years later. Only the bits that the type has are looked
at, so that a pattern may be zero-extended or sign-extended.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_agent.wire.vocabulary import Int64Array

NumberArray: TypeAlias = npt.NDArray[np.int64 | np.uint64 | np.float64]
"""What raw words say: int64, uint64 or float64 (in which a binary32 is exact)."""

Reader: TypeAlias = Callable[[Int64Array], NumberArray]
"""Reads raw words of one type, shape (n,), as numbers of the same shape."""

_Bits: TypeAlias = npt.NDArray[np.unsignedinteger]


class _Numeric(NamedTuple):
    """How the bits of a type are cut out of a raw word, seen as the type, and carried on."""

    bits: np.dtype[np.unsignedinteger]
    seen: np.dtype[np.number]
    number: np.dtype[np.int64 | np.uint64 | np.float64]


_NUMERIC: Final = {
    "uint16": _Numeric(np.dtype("<u2"), np.dtype("<u2"), np.dtype("<i8")),
    "int16": _Numeric(np.dtype("<u2"), np.dtype("<i2"), np.dtype("<i8")),
    "uint32": _Numeric(np.dtype("<u4"), np.dtype("<u4"), np.dtype("<i8")),
    "int32": _Numeric(np.dtype("<u4"), np.dtype("<i4"), np.dtype("<i8")),
    "uint64": _Numeric(np.dtype("<u8"), np.dtype("<u8"), np.dtype("<u8")),
    "int64": _Numeric(np.dtype("<u8"), np.dtype("<i8"), np.dtype("<i8")),
    "float32": _Numeric(np.dtype("<u4"), np.dtype("<f4"), np.dtype("<f8")),
    "float64": _Numeric(np.dtype("<u8"), np.dtype("<f8"), np.dtype("<f8")),
}
_BITS: Final = {f"bit{index}": index for index in range(16)}

RAW_TYPES: Final = frozenset({"bool", *_BITS, *_NUMERIC})
"""How a raw word may be read: bitN is bit N of a 16-bit register, 0 the least significant."""

_REGISTER: Final = np.dtype("<u2")


def _as_sent(bits: _Bits) -> _Bits:
    return bits


def _bytes_swapped(bits: _Bits) -> _Bits:
    return bits.view(_REGISTER).byteswap().view(bits.dtype)


def _words_swapped(bits: _Bits) -> _Bits:
    return _bytes_swapped(bits.byteswap())


def _reversed(bits: _Bits) -> _Bits:
    return bits.byteswap()


# Four letters name the bytes of 32 bits; for 64 bits the same rule goes over four words.
_ORDERS: Final[dict[str, Callable[[_Bits], _Bits]]] = {
    "": _as_sent,
    "ABCD": _as_sent,
    "CDAB": _words_swapped,
    "BADC": _bytes_swapped,
    "DCBA": _reversed,
}
_ORDERS_OF_ONE_WORD: Final = ("", "ABCD", "BADC")


def word_orders(raw_type: str) -> tuple[str, ...]:
    """Return the word orders that a type may stand in; "" where there is nothing to order.

    Raises:
        ValueError: there is no such type.

    """
    if raw_type not in RAW_TYPES:
        raise ValueError(f"raw type {raw_type!r} is unknown, must be one of {sorted(RAW_TYPES)}")
    if raw_type not in _NUMERIC:
        return ("",)
    return _ORDERS_OF_ONE_WORD if raw_type in ("uint16", "int16") else tuple(_ORDERS)


def bit_of(raw_type: str) -> int | None:
    """Return which bit of its register a type names, None for a type that is no bit."""
    return _BITS.get(raw_type)


def number_reader(raw_type: str, word_order: str) -> Reader:
    """Return the reader of one type, bits excepted.

    Args:
        raw_type: one of RAW_TYPES but a bit.
        word_order: one of word_orders(raw_type).

    """
    if raw_type == "bool":
        return lambda raw: (raw != 0).astype(np.int64)
    bits, seen, number = _NUMERIC[raw_type]
    in_order = _ORDERS[word_order]

    def read(raw: Int64Array) -> NumberArray:
        # Casts between integers keep the low bits. A signalling NaN is a pattern like any other.
        with np.errstate(invalid="ignore"):
            return in_order(raw.astype(bits)).view(seen).astype(number)

    return read


def bit_reader(bits: Sequence[int]) -> Reader:
    """Return the reader of some bits: one per word, or one for all words."""
    shift = np.array(bits, dtype=np.int64)
    one = np.int64(1)
    return lambda raw: (raw >> shift) & one
