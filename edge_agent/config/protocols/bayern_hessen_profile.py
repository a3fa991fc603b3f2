"""The profile of an instrument that speaks Bayern-Hessen, and what the file of one adds to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final

from edge_agent.config.constraint import Fault, Matching, Within, field_faults, refuse
from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.endpoint import SERIAL, Scheme
from edge_agent.config.place import Spot
from edge_agent.config.profile import PointName, PointProfile, Profile, StatusProfile, TestVector
from edge_agent.config.protocols.bayern_hessen import BayernHessenSpeech, Value
from edge_agent.config.structure import Misfit

STATUS_SOURCE: Final = "bayern_hessen:status_and_failure"
# An answer says in two digits how many values it has.
MOST_VALUES: Final = 99
NumberOfValues = Annotated[int, Within(1, MOST_VALUES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BayernHessenFacts:
    """What answers of the model look like.

    Attributes:
        values: how many values an answer holds as the model is delivered.
        page: where the document says so.
    """

    values: NumberOfValues
    page: str

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class BayernHessenPoint(PointProfile):
    """One value of the answer.

    Attributes:
        value: its number in the answer, from 1.
    """

    value: NumberOfValues

    def faults(self) -> Iterator[Fault]:
        """Yield what cannot be read or calculated with."""
        yield from PointProfile.faults(self)
        if self.raw_type != "float64":
            yield Fault(
                key="raw_type",
                message=f"{self.raw_type} is no type of this protocol, which sends digits",
                remedy="write float64",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BayernHessenStatus(StatusProfile):
    """The status byte of a value in bits 8 to 15, its failure byte in bits 0 to 7.

    Attributes:
        page: where the document says so.
    """

    def bits_there(self) -> frozenset[int]:
        """Return the bits that the two bytes have."""
        return frozenset(range(16))


@dataclass(frozen=True, slots=True, kw_only=True)
class BayernHessenVector(TestVector):
    """An answer, and what the decoder of the agent must make of it.

    Attributes:
        answer: what stands between STX and ETX.
    """

    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BayernHessenProfile(Profile):
    """One model of analyzer that speaks Bayern-Hessen.

    Attributes:
        protocol: bayern_hessen.
        bayern_hessen: what its answers look like.
        points: the values it gives.
        status: what its status and failure bytes say.
        test_vectors: answers, and the values that they must give.
    """

    SCHEMES: ClassVar[Mapping[str, Scheme]] = {
        "tcp": Scheme(),
        SERIAL: Scheme(is_serial=True),
    }
    OWN_KEYS: ClassVar[frozenset[str]] = frozenset({"bayern_hessen"})
    NOWHERE: ClassVar[str] = "tcp://127.0.0.1:1"

    protocol: Annotated[str, Matching("bayern_hessen", "bayern_hessen")]
    bayern_hessen: BayernHessenFacts
    points: Mapping[PointName, BayernHessenPoint]
    status: Mapping[PointName, BayernHessenStatus] = field(default_factory=dict)
    test_vectors: tuple[BayernHessenVector, ...] = ()

    def misfits(self) -> Iterator[Misfit]:
        """Yield points that are beyond the answer."""
        values = self.bayern_hessen.values
        for name, point in self.points.items():
            if point.value > values:
                yield Misfit(
                    path=("points", name, "value"),
                    message=f"an answer has no value {point.value}: values is {values}",
                    remedy="write the number of the value in the answer, from 1",
                )

    def device_misfits(self, settings: DeviceSettings) -> Iterator[Misfit]:
        """Yield a missing address, and gas ids of points that there are not, or of some only."""
        own = settings.bayern_hessen
        if own is None:
            yield Misfit(
                path=("bayern_hessen", "address"),
                message="it is not said which instrument of the line this is",
                remedy="write bayern_hessen.address, as it is set at the instrument",
            )
            return
        for name in own.gas_ids:
            if name not in self.points:
                yield Misfit(
                    path=("bayern_hessen", "gas_ids", name),
                    message=f"profile {self.id} has no such point",
                    remedy=f"write one of {', '.join(self.points)}",
                )
        missing = [c.point for c in settings.channels if c.point not in own.gas_ids]
        if own.gas_ids and missing:
            yield Misfit(
                path=("bayern_hessen", "gas_ids"),
                message=f"{', '.join(missing)}: no gas id, though others have one",
                remedy="write the gas id of every point that is a channel, or of none",
            )

    def speech(self, settings: DeviceSettings) -> BayernHessenSpeech:
        """Return which instrument is asked; the settings have no misfits."""
        own = settings.bayern_hessen
        if own is None:  # a test vector is of no particular instrument
            return BayernHessenSpeech(address=0, values=self.bayern_hessen.values)
        values = None if own.gas_ids else self.bayern_hessen.values
        return BayernHessenSpeech(address=own.address, values=values)

    def spot(self, settings: DeviceSettings, point: str) -> Spot:
        """Return which value of the answer a point is; its status comes with it."""
        own = settings.bayern_hessen
        gas_id = None if own is None else own.gas_ids.get(point)
        place = Value(number=self.points[point].value, gas_id=gas_id)
        return Spot(place=place, status_source=STATUS_SOURCE)
