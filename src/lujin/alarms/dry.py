"""A rule tried on a month that has passed: how often it would have raised. Nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lujin.alarms.evaluate import findings
from lujin.alarms.finding import Finding
from lujin.alarms.known import Known, carbon_between, known, months_of
from lujin.alarms.rules import KINDS, Rule
from lujin.errors import Translate, as_written
from lujin.park.calendar import month_start, next_month, previous_month
from lujin.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm that would have stood from ``at`` to ``cleared_at``; None: to the end of the month."""

    at: datetime
    finding: Finding
    cleared_at: datetime | None = None

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        cleared = None if self.cleared_at is None else self.cleared_at.isoformat()
        return {"at": self.at.isoformat(), "cleared_at": cleared, **self.finding.as_dict(translate)}


@dataclass(frozen=True, slots=True)
class DryRun:
    """``rounds`` judged, every ``step_h`` hours, with the readings as they are known today."""

    month: int
    step_h: int
    rounds: int
    raised: tuple[Raised, ...]

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "month": self.month,
            "step_h": self.step_h,
            "rounds": self.rounds,
            "raised": [one.as_dict(translate) for one in self.raised],
        }


def dry_run(workspace: Workspace, rule: Rule, month: int) -> DryRun:
    """Judge the rule at every step of the month, as rounds would have, with hysteresis."""
    zone = workspace.park.timezone
    start, end = month_start(month, zone), month_start(next_month(month), zone)
    step = timedelta(hours=KINDS[rule.kind].step_h)
    moments = [start + step * n for n in range(1, int((end - start) / step) + 1)]
    return DryRun(
        month, KINDS[rule.kind].step_h, len(moments), simulated(rule, _of(workspace, rule, moments), moments)
    )


def _of(workspace: Workspace, rule: Rule, moments: list[datetime]) -> Known:
    """All that is needed at any of the moments, gathered once."""
    zone = workspace.park.timezone
    months = months_of(rule, moments[0], zone) | months_of(rule, moments[-1], zone)
    if rule.kind == "late":
        last = moments[-1] - timedelta(seconds=1)
        months = months_of(Rule("w", "completeness", rule.place), last, zone)
    found = known(workspace, [rule], moments[-1], months)
    if not found.carbon.is_empty() or rule.kind == "limit":
        at = min(months, default=int(f"{moments[0]:%Y%m}"))
        carbon = carbon_between(workspace, previous_month(at), next_month(at)) if _carbon(rule) else found.carbon
        return Known(
            found.park, found.until, found.energy, found.heard, carbon, found.claims, found.ledger, found.owners
        )
    return found


def _carbon(rule: Rule) -> bool:
    return rule.kind == "limit" and rule.text("quantity") == "carbon"


def simulated(rule: Rule, what: Known, moments: list[datetime]) -> tuple[Raised, ...]:
    standing: dict[str, Raised] = {}
    done: list[Raised] = []
    for now in moments:
        found = {finding.cause: finding for finding in findings(rule, what, now)}
        for cause in [c for c in standing if c not in found]:
            one = standing.pop(cause)
            done.append(Raised(one.at, one.finding, now))
        for cause, finding in found.items():
            if cause not in standing and finding.level == "raise":
                standing[cause] = Raised(now, finding)
    return tuple(sorted([*done, *standing.values()], key=lambda r: (r.at, r.finding.cause)))
