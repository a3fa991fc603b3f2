"""What the file of a device says about the instrument that it is on a Bayern-Hessen line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from edge_agent.config.constraint import Within, fault, field_faults, refuse

# Serinus 44 user manual 3.0, p. 168: every id has three digits.
ThreeDigits = Annotated[int, Within(0, 999)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BayernHessenSettings:
    """Which instrument of a line a device is, and what the site calls its gases.

    Attributes:
        address: of the instrument, as it is set at its front panel.
        gas_ids: point -> gas id, where the instrument is set to report several gases.
    """

    address: ThreeDigits
    gas_ids: Mapping[str, ThreeDigits] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse one gas id for two points."""
        ids = list(self.gas_ids.values())
        refuse(
            *field_faults(self),
            fault(
                "gas_ids",
                "one gas id for two points",
                "write the id that the instrument shows for each gas",
                when=len(set(ids)) < len(ids),
            ),
        )
