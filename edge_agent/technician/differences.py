"""What another configuration would change, device by device; pure."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from edge_agent.config.device import Device, Endpoint
from edge_agent.reload import changes

# So many lines say what changed in one device; the rest is counted.
MOST_DETAILS: Final = 12
# Compared channel by channel, or as a whole, and told in words of their own.
_TOLD_APART: Final = frozenset({"name", "channels", "points", "limits", "status_rules"})


class Kind(StrEnum):
    """What happens to a device."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What happens to one device.

    Attributes:
        name: of the device.
        kind: what happens.
        details: what changed, a line each.
        reconnects: whether its connection ends for it; that of an unchanged device does where
            another one shares it.

    """

    name: str
    kind: Kind
    details: tuple[str, ...] = ()
    reconnects: bool = False


def differences(before: Sequence[Device], after: Sequence[Device]) -> tuple[Difference, ...]:
    """Return what happens to every device, by name."""
    old, new = ({one.name: one for one in devices} for devices in (before, after))
    stops = set(changes(before, after).stops)
    return tuple(
        _difference(name, old.get(name), new.get(name), stops=stops)
        for name in sorted(old.keys() | new.keys())
    )


def _difference(
    name: str, before: Device | None, after: Device | None, *, stops: Container[Endpoint]
) -> Difference:
    if before is None:
        added = () if after is None else (_summary(after),)
        return Difference(name=name, kind=Kind.ADDED, details=added)
    reconnects = before.endpoint in stops
    if after is None:
        return Difference(name=name, kind=Kind.REMOVED, details=(_summary(before),))
    if before == after:
        return Difference(name=name, kind=Kind.UNCHANGED, reconnects=reconnects)
    details = tuple(_details(before, after))
    more = len(details) - MOST_DETAILS
    if more > 0:
        details = (*details[:MOST_DETAILS], f"and {more} more")
    return Difference(name=name, kind=Kind.CHANGED, details=details, reconnects=reconnects)


def _summary(device: Device) -> str:
    return f"{device.protocol} {device.endpoint}, {len(device.channels)} channels"


def _details(before: Device, after: Device) -> Iterator[str]:
    for field in fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.name in _TOLD_APART or old == new:
            continue
        if field.name == "speech" and type(old) is type(new):
            yield from _changed_fields(old, new)
        elif isinstance(old, tuple):
            yield f"{field.name.replace('_', ' ')} changed"
        else:
            yield f"{field.name}: {old} -> {new}"
    yield from _channel_details(before, after)


def _channel_details(before: Device, after: Device) -> Iterator[str]:
    old, new = _by_channel(before), _by_channel(after)
    for number in sorted(old.keys() | new.keys()):
        if number not in old:
            yield f"channel {number}: added"
        elif number not in new:
            yield f"channel {number}: removed"
        elif old[number] != new[number]:
            for was, becomes in zip(old[number], new[number], strict=True):
                for line in _changed_parts(was, becomes):
                    yield f"channel {number}: {line}"


def _by_channel(device: Device) -> Mapping[int, tuple[object, ...]]:
    rows = zip(device.channels, device.points, device.limits, device.status_rules, strict=True)
    return {row.channel: (row, *others) for row, *others in rows}


def _changed_parts(before: object, after: object) -> Iterator[str]:
    """Yield what differs between two things that are known of a channel."""
    if not isinstance(before, tuple):
        yield from _changed_fields(before, after)
    elif before != after:
        yield "status rules changed"


def _changed_fields(before: object, after: object) -> Iterator[str]:
    """Yield what differs between two values of one dataclass."""
    for field in fields(before):  # type: ignore[arg-type]  # a dataclass
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            yield f"{field.name}: {_word(old)} -> {_word(new)}"


def _word(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
