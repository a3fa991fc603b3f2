"""What a status word of a device says about its values: bits and numbers to NAMUR NE 107 words."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from edge_agent.config.constraint import Fault, Matching, Within, field_faults, refuse
from edge_agent.config.vocabulary import ClassWord, PhaseWord, ReasonWord
from edge_agent.wire.vocabulary import NO_VALUE, Phase, QualityClass, Reason

IntegerKey = Annotated[str, Matching(r"0|[1-9][0-9]*|0x[0-9A-Fa-f]+", "a whole number")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a bit that is set, or a number in a status word, says about the value.

    Attributes:
        class_: class of NAMUR NE 107.
        phase: what the analyzer is doing.
        reasons: why.
        has_value: false where the number beside it says nothing, such as one that is held at 0.
    """

    class_: ClassWord
    phase: PhaseWord = PhaseWord.MEASURING
    reasons: tuple[ReasonWord, ...] = ()
    has_value: bool = True

    @property
    def quality(self) -> int:
        """The bits of a quality word (docs/wire-format.md section 7)."""
        word = QualityClass[self.class_.name] | Phase[self.phase.name] << 4
        for reason in self.reasons:
            word |= Reason[reason.name]
        return int(word) if self.has_value else int(word) | NO_VALUE


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusProfile:
    """A word that says how values are to be taken; a protocol adds where it is.

    Attributes:
        bits: meaning of a bit that is set, by its number from 0, the least significant.
        clear_bits: meaning of a bit that is not set, by its number.
        enum: meaning of a number, by the number.
        enum_first_bit: where the number begins in the register, 0 is the least significant bit.
        enum_last_bit: where it ends, included.
        otherwise: meaning of a number that enum does not name; enum needs it.
        page: where the document says so.
    """

    bits: Mapping[IntegerKey, Meaning] = field(default_factory=dict)
    clear_bits: Mapping[IntegerKey, Meaning] = field(default_factory=dict)
    enum: Mapping[IntegerKey, Meaning] = field(default_factory=dict)
    enum_first_bit: Annotated[int, Within(0, 31)] = 0
    enum_last_bit: Annotated[int, Within(0, 31)] = 15
    otherwise: Meaning | None = None
    page: str

    def __post_init__(self) -> None:
        """Refuse a status word that says nothing, or two things with one bit."""
        refuse(*field_faults(self), *self.faults())

    def bits_there(self) -> frozenset[int]:
        """Return the bits that the word can have; a status is 32 bits wide on the wire."""
        return frozenset(range(32))

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong with more than one field; a protocol adds its own."""
        if not (self.bits or self.clear_bits or self.enum):
            yield Fault(key="bits", message="the word says nothing", remedy="add bits or enum")
        taken = range(self.enum_first_bit, self.enum_last_bit + 1) if self.enum else range(0)
        if self.enum:
            yield from self._enum_faults(len(taken))
        yield from self._bit_faults(taken)
        for name, numbers in (
            ("bits", self.bits),
            ("clear_bits", self.clear_bits),
            ("enum", self.enum),
        ):
            if len({int(key, 0) for key in numbers}) < len(numbers):
                yield Fault(key=name, message="a number twice", remedy="write each number once")

    def _enum_faults(self, width: int) -> Iterator[Fault]:
        if self.otherwise is None:
            yield Fault(
                key="otherwise",
                message="a number that enum does not name would pass as good",
                remedy='add otherwise = { class = "function_check", phase = "unknown" }',
            )
        if not width:
            yield Fault(
                key="enum_last_bit", message="below enum_first_bit", remedy="write it above"
            )
        for key in self.enum:
            if int(key, 0) >= 1 << width:
                yield Fault(
                    key="enum",
                    message=f"{key} does not fit {width} bits",
                    remedy="write the number as it stands in its bits, shifted to the right",
                )

    def _bit_faults(self, taken: range) -> Iterator[Fault]:
        there = self.bits_there()
        for name, numbers in (("bits", self.bits), ("clear_bits", self.clear_bits)):
            for key in numbers:
                if int(key, 0) not in there or int(key, 0) in taken:
                    yield Fault(
                        key=name,
                        message=f"bit {key} is no bit of the word, or belongs to enum",
                        remedy=f"bits are {shown(there)}, without enum_first_bit to enum_last_bit",
                    )
        if self.enum and not set(taken) <= there and self.enum_last_bit not in there:
            yield Fault(
                key="enum_last_bit",
                message=f"{self.enum_last_bit} is no bit of the word",
                remedy=f"bits are {shown(there)}",
            )


def shown(bits: Collection[int]) -> str:
    """Return the numbers of bits in words, run by run: 0 to 3, 16 to 23."""
    firsts = sorted(bit for bit in bits if bit - 1 not in bits)
    lasts = sorted(bit for bit in bits if bit + 1 not in bits)
    runs = zip(firsts, lasts, strict=True)
    return ", ".join(str(one) if one == last else f"{one} to {last}" for one, last in runs)
