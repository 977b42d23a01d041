"""Which role may do what: the whole policy on one page. A token can narrow it, nothing can widen it."""

from __future__ import annotations

from collections.abc import Mapping

from lujin.access.viewer import Right, Role, Viewer

__all__ = ["Right", "Role", "holds", "may", "may_meter", "rights_of", "token_rights"]

# Rights over the whole park, and so over every enterprise in it.
OF_THE_PARK: Mapping[Role, frozenset[Right]] = {
    Role.OPERATOR: frozenset(Right) - {Right.WRITE_OPINION, Right.GIVE_CONSENT},
    Role.VERIFIER: frozenset(
        {Right.SEE_PARK, Right.SEE_ACCOUNT, Right.SEE_READINGS, Right.SEE_AUDIT, Right.WRITE_OPINION}
    ),
}

# Rights over the enterprises the viewer is bound to.
OF_ITS_ENTERPRISES: Mapping[Role, frozenset[Right]] = {
    Role.ENTERPRISE: frozenset(
        {
            Right.SEE_ACCOUNT,
            Right.SEE_READINGS,
            Right.WRITE_READINGS,
            Right.GIVE_CONSENT,
            Right.ACKNOWLEDGE_ALARMS,
        }
    ),
    Role.BANK: frozenset({Right.SEE_ACCOUNT}),
    Role.DEVICE: frozenset({Right.WRITE_READINGS}),
}

# Who holds a stolen token must not be able to make accounts or hand out data with it.
NEVER_BY_TOKEN = frozenset({Right.MANAGE_PEOPLE, Right.GIVE_CONSENT})


def may(viewer: Viewer, right: Right, enterprise: str | None = None) -> bool:
    """Whether the viewer has the right over ``enterprise``, or over the whole park where none is named.

    >>> own = Viewer(1, "陆", Role.ENTERPRISE, frozenset({"E001"}))
    >>> may(own, Right.SEE_ACCOUNT, "E001"), may(own, Right.SEE_ACCOUNT, "E002"), may(own, Right.SEE_ACCOUNT)
    (True, False, False)
    """
    if not _left_by_token(viewer, right):
        return False
    if right in OF_THE_PARK.get(viewer.role, frozenset()):
        return True
    return enterprise in viewer.enterprises and right in OF_ITS_ENTERPRISES.get(viewer.role, frozenset())


def may_meter(viewer: Viewer, right: Right, enterprise: str, meter: str) -> bool:
    """``may`` for one meter of the enterprise: a device may be bound to some of its meters only.

    >>> device = Viewer(2, "gateway", Role.DEVICE, frozenset({"E001"}), frozenset({"M1"}))
    >>> [may_meter(device, Right.WRITE_READINGS, "E001", meter) for meter in ("M1", "M2")]
    [True, False]
    """
    return may(viewer, right, enterprise) and (viewer.meters is None or meter in viewer.meters)


def holds(viewer: Viewer, right: Right) -> bool:
    """Whether the viewer has the right over anything at all: what a menu shows.

    >>> holds(Viewer(3, "bank", Role.BANK), Right.SEE_ACCOUNT)
    False
    """
    return may(viewer, right) or any(may(viewer, right, enterprise) for enterprise in viewer.enterprises)


def rights_of(role: Role) -> frozenset[Right]:
    """Every right that the role can have, over the park or over its enterprises."""
    return OF_THE_PARK.get(role, frozenset()) | OF_ITS_ENTERPRISES.get(role, frozenset())


def token_rights(role: Role) -> frozenset[Right]:
    """What a token of someone in this role may be given."""
    return rights_of(role) - NEVER_BY_TOKEN


def _left_by_token(viewer: Viewer, right: Right) -> bool:
    return viewer.scopes is None or (right in viewer.scopes and right not in NEVER_BY_TOKEN)
