"""What must agree within one profile, whatever it speaks; pure functions that return what not."""

from collections.abc import Collection, Iterator, Mapping

from edge_agent.config.profile import PointProfile, Profile
from edge_agent.config.structure import KeyPath, Misfit, did_you_mean
from edge_agent.config.vocabulary import Role


def profile_misfits(profile: Profile, profile_id: str | None) -> tuple[Misfit, ...]:
    """Return everything that does not agree within a profile.

    Args:
        profile: a profile whose fields are good one by one.
        profile_id: the id that its place in the library gives it; None: any.

    """
    return (
        *_identity(profile, profile_id),
        *_statuses(profile),
        *_facts(profile),
        *_vectors(profile),
        *profile.misfits(),
    )


def _identity(profile: Profile, profile_id: str | None) -> Iterator[Misfit]:
    if profile_id is not None and profile.id != profile_id:
        yield Misfit(
            path=("id",),
            message=f"'{profile.id}' does not agree with the place of the file",
            remedy=f'write id = "{profile_id}", or move the file to {profile.id}.toml',
        )
    if not profile.provenance:
        yield Misfit(
            path=("provenance",),
            message="nobody can check registers without a document",
            remedy="add a [[provenance]] table with kind, document and pages",
        )
    if not profile.point_names():
        yield Misfit(path=("points",), message="there is none", remedy="add a [points.NAME] table")


def _statuses(profile: Profile) -> Iterator[Misfit]:
    yield from status_misfits(profile.points, tuple(profile.status), ("points",))


def status_misfits(
    points: Mapping[str, PointProfile], known: Collection[str], path: KeyPath
) -> Iterator[Misfit]:
    """Yield points that name a status word which is not there."""
    for name, point in points.items():
        if point.status is not None and point.status not in known:
            yield Misfit(
                path=(*path, name, "status"),
                message=f"there is no status word '{point.status}'",
                remedy=did_you_mean(point.status, known),
            )


def _facts(profile: Profile) -> Iterator[Misfit]:
    yield from fact_misfits(profile.points, ("points",))


def fact_misfits(points: Mapping[str, PointProfile], path: KeyPath) -> Iterator[Misfit]:
    """Yield calibration facts about points that are not there, and two of one kind about one."""
    seen: set[tuple[str, str]] = set()
    for name, point in points.items():
        if point.of is None:
            continue
        if point.of not in points or points[point.of].role is not Role.MEASUREMENT:
            measured = [one for one in points if points[one].role is Role.MEASUREMENT]
            yield Misfit(
                path=(*path, name, "of"),
                message=f"there is no measurement '{point.of}' beside it",
                remedy=did_you_mean(point.of, measured),
            )
        elif (point.role, point.of) in seen:
            yield Misfit(
                path=(*path, name, "role"),
                message=f"another point is the {point.role} of {point.of} too",
                remedy="write the role at one of them, and diagnostic at the other",
            )
        seen.add((point.role, point.of))


def _vectors(profile: Profile) -> Iterator[Misfit]:
    names = profile.point_names()
    for index, vector in enumerate(profile.test_vectors):
        path: KeyPath = ("test_vectors", index, "expect")
        for name in vector.expect:
            if name not in names:
                yield Misfit(
                    path=(*path, name),
                    message="there is no such point",
                    remedy=did_you_mean(name, names),
                )
