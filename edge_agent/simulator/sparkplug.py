"""The plant's Sparkplug B edge nodes, written from their profiles.

It keeps the rules of Sparkplug 3.0.0 for edge nodes: the death as last will with the number of the
session, births before data, sequence numbers, rebirth on request, data by exception under aliases.
While the scenario lets the device be silent, the device is dead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.protocols.sparkplug_profile import SparkplugProfile
from edge_agent.drivers.sparkplug_payload import (
    DataType,
    Metric,
    Payload,
    Slot,
    Value,
    decoded,
    double_bits,
    encoded,
    float_bits,
)
from edge_agent.errors import OperatorError
from edge_agent.simulator.instrument import Instrument, unscaled
from edge_agent.simulator.plant import Indication, Phase
from edge_agent.simulator.publishing import Publisher, Will, publishing

PERIOD_NS = NS_PER_S
NS_PER_MS = 1_000_000
REBIRTH = "Node Control/Rebirth"
GOOD, BAD, STALE = 192, 0, 500
GROUP = "plant"
DEVICE = "stack"
# Sparkplug 3.0.0, section 6.4.16: which field each data type stands in.
KINDS = {
    "int16": (DataType.INT16, Slot.INT),
    "uint16": (DataType.UINT16, Slot.INT),
    "int32": (DataType.INT32, Slot.INT),
    "uint32": (DataType.UINT32, Slot.LONG),
    "int64": (DataType.INT64, Slot.LONG),
    "uint64": (DataType.UINT64, Slot.LONG),
    "float32": (DataType.FLOAT, Slot.FLOAT),
    "float64": (DataType.DOUBLE, Slot.DOUBLE),
    "bool": (DataType.BOOLEAN, Slot.BOOLEAN),
}


@dataclass(slots=True, kw_only=True)
class Session:
    """One session of an edge node at a broker: what it says, in the order of its numbers.

    Attributes:
        group: group id.
        node: edge node id.
        bd_seq: the number of this session, which its death bears too.
        device: id of its one device.
    """

    group: str
    node: str
    bd_seq: int
    device: str = DEVICE
    must_be_born: bool = True
    _seq: int = -1
    _last: dict[str, Metric] = field(default_factory=dict)
    _is_device_alive: bool = False

    def topic(self, kind: str, device: str = "") -> str:
        """Return where a message of a kind is published."""
        behind = f"/{device}" if device else ""
        return f"spBv1.0/{self.group}/{kind}/{self.node}{behind}"

    def will(self) -> Will:
        """Return what the broker says when this session breaks: no seq, the number of it."""
        payload = Payload(metrics=(self._bd_seq(),))
        return Will(topic=self.topic("NDEATH"), payload=encoded(payload))

    def heard(self, _: str, payload: bytes) -> None:
        """Take a command: a rebirth is the only one there is."""
        names = {metric.name for metric in decoded(payload).metrics if metric.value}
        self.must_be_born |= REBIRTH in names

    def messages(self, metrics: Mapping[str, Metric] | None, at_ms: int) -> list[tuple[str, bytes]]:
        """Return what is to be said now; without metrics the device is dead."""
        said = []
        if self.must_be_born:
            self.must_be_born, self._is_device_alive, self._seq = False, False, -1
            command = Metric(
                name=REBIRTH, datatype=DataType.BOOLEAN, slot=Slot.BOOLEAN, timestamp_ms=at_ms
            )
            said.append(self._said("NBIRTH", "", (self._bd_seq(), command), at_ms))
        if metrics is None:
            if self._is_device_alive:
                said.append(self._said("DDEATH", self.device, (), at_ms))
            self._is_device_alive = False
        elif not self._is_device_alive:
            self._is_device_alive, self._last = True, dict(metrics)
            born = (
                _with_alias(one, index, is_birth=True) for index, one in enumerate(metrics.values())
            )
            said.append(self._said("DBIRTH", self.device, tuple(born), at_ms))
        else:
            changed = tuple(
                _with_alias(one, index, is_birth=False)
                for index, (name, one) in enumerate(metrics.items())
                if _content(one) != _content(self._last[name])
            )
            self._last = dict(metrics)
            if changed:
                said.append(self._said("DDATA", self.device, changed, at_ms))
        return said

    def _said(
        self, kind: str, device: str, metrics: tuple[Metric, ...], at_ms: int
    ) -> tuple[str, bytes]:
        self._seq = (self._seq + 1) % 256
        payload = Payload(timestamp_ms=at_ms, metrics=metrics, seq=self._seq)
        return self.topic(kind, device), encoded(payload)

    def _bd_seq(self) -> Metric:
        return Metric(name="bdSeq", datatype=DataType.INT64, slot=Slot.LONG, value=self.bd_seq)


def session_of(instrument: Instrument) -> Session:
    """Return the session of an instrument: group `plant`, node NAME, or as a file says.

    Raises:
        OperatorError: the file says that the metrics are those of the node itself.

    """
    like = instrument.site.like
    own = None if like is None else like.sparkplug
    if own is None:
        return Session(group=GROUP, node=instrument.name, bd_seq=0)
    if own.device is None:
        raise OperatorError("a simulated node has one device: add sparkplug.device to the file")
    return Session(group=own.group, node=own.node, bd_seq=0, device=own.device)


async def publish(instrument: Instrument, *, host: str, port: int, clock: Clock) -> None:
    """Be the edge node of an instrument until cancelled; arguments as of `mqtt.publish`."""
    session, plant = session_of(instrument), instrument.plant
    async with publishing(
        host,
        port,
        f"simulator-{instrument.name}",
        will=session.will(),
        hears=(session.topic("NCMD"), session.heard),
    ) as publisher:
        try:
            while True:
                now = clock.now()
                at_ms = now.utc_ns // NS_PER_MS
                found = None
                if not plant.is_silent(now.utc_ns):
                    found = metrics_of(instrument, plant.indicated(now.utc_ns), now.utc_ns)
                _say(publisher, session.messages(found, at_ms))
                await clock.sleep_until(now.mono_ns + PERIOD_NS)
        finally:
            # With MQTT 3.1.1 a node that leaves says its own death: the broker would not.
            death = session.will()
            publisher.say(death.topic, death.payload, qos=1)


def metrics_of(instrument: Instrument, indication: Indication, at_ns: int) -> dict[str, Metric]:
    """Return the metrics of an instrument at a moment, by name.

    Raises:
        TypeError: the instrument does not speak Sparkplug.

    """
    profile = instrument.profile
    if not isinstance(profile, SparkplugProfile):
        raise TypeError(f"{profile.id} is no profile of a Sparkplug device")
    values = instrument.values(indication, at_ns)
    found = {}
    for name, point in profile.points.items():
        datatype, slot = KINDS[point.raw_type]
        condition = instrument.condition(name, indication)
        quality = GOOD if condition.phase is Phase.MEASURING else STALE
        found[point.metric] = Metric(
            name=point.metric,
            timestamp_ms=at_ns // NS_PER_MS,
            datatype=datatype,
            slot=slot,
            value=_value(slot, float(unscaled(point, values[name]))),
            properties={"Quality": BAD if condition.has_failed else quality},
        )
    return found


def _value(slot: Slot, number: float) -> Value:
    """Return a number as it stands in its field; negative ones as the two's complement."""
    match slot:
        case Slot.FLOAT:
            return float_bits(number)
        case Slot.DOUBLE:
            return double_bits(number)
        case Slot.BOOLEAN:
            return int(number != 0)
        case _:
            return round(number) % (1 << (64 if slot is Slot.LONG else 32))


def _with_alias(metric: Metric, alias: int, *, is_birth: bool) -> Metric:
    """Return a metric as it is said: in a birth with its name, later under its alias alone."""
    return Metric(
        name=metric.name if is_birth else None,
        alias=alias,
        timestamp_ms=metric.timestamp_ms,
        datatype=metric.datatype if is_birth else None,
        slot=metric.slot,
        value=metric.value,
        properties=metric.properties,
    )


def _content(metric: Metric) -> tuple[Value, Mapping[str, int]]:
    return metric.value, metric.properties


def _say(publisher: Publisher, messages: list[tuple[str, bytes]]) -> None:
    for topic, payload in messages:
        publisher.say(topic, payload)
