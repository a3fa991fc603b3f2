"""Bayern-Hessen (Gesytec), as the agent runs it: which value of an answer, and who is asked."""

from dataclasses import dataclass

from edge_agent.config.place import Place, Speech


@dataclass(frozen=True, slots=True, kw_only=True)
class Value(Place):
    """One value of the answer to a data query.

    Attributes:
        number: of the value in the answer, from 1; meaningless where there is a gas id.
        gas_id: what the site has called the gas at the instrument; None: found by its number.

    """

    number: int
    gas_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BayernHessenSpeech(Speech):
    """Which instrument of a line is asked.

    Attributes:
        address: of the instrument, 0 to 999.
        values: how many values its answer holds; another number is another instrument, or another
            setting of it. None: any, because every one is found by its gas id.

    """

    address: int
    values: int | None
