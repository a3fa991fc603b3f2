"""What must agree within one profile, whatever it speaks; pure functions that return what not."""

from collections.abc import Iterator

from edge_agent.config.profile import Profile
from edge_agent.config.structure import KeyPath, Misfit, did_you_mean


def profile_misfits(profile: Profile, profile_id: str | None) -> tuple[Misfit, ...]:
    """Return everything that does not agree within a profile.

    Args:
        profile: a profile whose fields are good one by one.
        profile_id: the id that its place in the library gives it; None: any.

    """
    return (
        *_identity(profile, profile_id),
        *_statuses(profile),
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
    for name, point in profile.points.items():
        if point.status is not None and point.status not in profile.status:
            yield Misfit(
                path=("points", name, "status"),
                message=f"there is no status word '{point.status}'",
                remedy=did_you_mean(point.status, profile.status),
            )


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
