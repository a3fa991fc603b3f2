"""What octets cost on a serial Modbus line, and from where on a second request is cheaper.

Pure. Times are seconds. On a line whose speed nobody knows (RTU over TCP: the speed is set in the
device server) the turn-around cannot be told from the way there and back, and counts as none.
"""

from dataclasses import dataclass
from typing import Final

from edge_agent.config.endpoint import Parity, SerialLine

# Modbus over Serial Line V1.02 section 2.5.1.1: 3.5 characters of silence between frames; above
# 19,200 baud 1.75 ms, whatever a character takes.
SILENCE_CHARACTERS: Final = 3.5
FASTEST_SILENCE_S: Final = 0.00175
FAST_BAUD: Final = 19_200
# A request of FC 1 to 4 has 8 characters; an answer 5 and its octets (Modbus over Serial Line
# V1.02 section 2.3, Modbus Application Protocol V1.1b3 sections 6.1 to 6.4).
REQUEST_CHARACTERS: Final = 8
ANSWER_CHARACTERS: Final = 5
# The part of each new measurement in what is learned.
LEARNED_PART: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The times of one line.

    Attributes:
        character_s: one character; 0 where the speed is not known.
        silence_s: between two frames.

    """

    character_s: float
    silence_s: float

    def exchange_s(self, octet_count: int, turn_around_s: float) -> float:
        """Return how long a request for so many octets of values takes, silences included."""
        characters = REQUEST_CHARACTERS + ANSWER_CHARACTERS + octet_count
        return characters * self.character_s + 2 * self.silence_s + turn_around_s

    def max_gap(self, turn_around_s: float) -> int:
        """Return how many unwanted registers are read through rather than asked around.

        A register costs two characters; a request 13, two silences and the turn-around.
        """
        if not self.character_s:
            return int((REQUEST_CHARACTERS + ANSWER_CHARACTERS + 2 * SILENCE_CHARACTERS) / 2)
        return int(self.exchange_s(0, turn_around_s) / (2 * self.character_s))


def timing_of(line: SerialLine | None) -> Timing:
    """Return the times of a line; of RTU over TCP, where there is no line to know, of none."""
    if line is None:
        return Timing(character_s=0.0, silence_s=0.0)
    bits = 1 + line.data_bits + (line.parity is not Parity.NONE) + line.stop_bits
    character_s = bits / line.baud
    is_fast = line.baud > FAST_BAUD
    silence_s = FASTEST_SILENCE_S if is_fast else SILENCE_CHARACTERS * character_s
    return Timing(character_s=character_s, silence_s=silence_s)


class TurnAround:
    """How long a unit takes to answer, beside what the octets take; learned."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._learned_s: float | None = None

    @property
    def seconds(self) -> float:
        """What was learned; 0 before the first answer."""
        return self._learned_s or 0.0

    def answered(self, octet_count: int, lasted_s: float) -> None:
        """Learn from an exchange.

        Args:
            octet_count: octets of values in the answer.
            lasted_s: from the first character of the request to the last of the answer.

        """
        characters = REQUEST_CHARACTERS + ANSWER_CHARACTERS + octet_count
        seen_s = max(0.0, lasted_s - characters * self._timing.character_s)
        if self._learned_s is None:
            self._learned_s = seen_s
        else:
            self._learned_s += LEARNED_PART * (seen_s - self._learned_s)
