"""Alarms and rules as one viewer may see them: those of the own enterprises, or all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from lujin.access import Right, Viewer, audit, may
from lujin.alarms import (
    SELDOM,
    Alarm,
    DryRun,
    Evaluation,
    Place,
    Rule,
    RuleVersion,
    Sent,
    acknowledge,
    alarm,
    alarms,
    dry_run,
    evaluate,
    given_up_since,
    history,
    messages_of,
    open_count,
    record,
    rule_from,
    rules,
    send_waiting,
    silence,
    suggested,
    withdraw,
)
from lujin.alarms.parse import known_places, owned
from lujin.alarms.rules import KINDS, PlaceKind
from lujin.errors import N_, ForbiddenError, InputError, NotFoundError, Problem
from lujin.park import Park
from lujin.pulse import Keep, anew
from lujin.workspace import Workspace

# For the park alone: an enterprise does not send through the operator's webhooks, and has no ledger of its own.
OF_THE_PARK = frozenset({"claimed_twice", "ledger"})


@dataclass(frozen=True)
class AlarmWindow:
    """``whose``: the enterprises whose matters these are; None: the viewer sees the whole park."""

    _workspace: Workspace
    viewer: Viewer
    whose: frozenset[str] | None
    _keep: Keep = anew

    @property
    def park(self) -> Park:
        return self._workspace.park

    # ------------------------------------------------------------------------------------------- alarms

    def alarms(self, *, cleared: bool | None) -> tuple[Alarm, ...]:
        with self._workspace.engine.connect() as connection:
            return tuple(map(self._own, alarms(connection, cleared=cleared, enterprises=self.whose)))

    def one(self, number: int) -> Alarm:
        """NotFoundError: there is none, or it is no matter of the viewer."""
        with self._workspace.engine.connect() as connection:
            return self._own(alarm(connection, number, self.whose))

    def messages(self, number: int) -> tuple[Sent, ...]:
        """Who was told; whom the park's rules tell is the park's affair."""
        found = self.one(number)
        if self.whose is not None and found.rule.owner not in self.whose:
            return ()
        with self._workspace.engine.connect() as connection:
            return messages_of(connection, [number]).get(number, ())

    def open_count(self, now: datetime) -> int:
        """What waits for somebody; that a silence is over shows within the minute."""

        def counted() -> int:
            with self._workspace.engine.connect() as connection:
                return open_count(connection, now, self.whose)

        return self._keep(("open alarms", self.whose, int(now.timestamp()) // 60), counted)

    def given_up(self, now: datetime) -> int:
        if self.whose is not None:
            return 0
        with self._workspace.engine.connect() as connection:
            return given_up_since(connection, now)

    def may_act(self, found: Alarm) -> bool:
        return may(self.viewer, Right.ACKNOWLEDGE_ALARMS) or any(
            may(self.viewer, Right.ACKNOWLEDGE_ALARMS, enterprise) for enterprise in found.enterprises
        )

    def acknowledge(self, number: int, note: str, now: datetime, address: str) -> None:
        found = self._acting(number)
        acknowledge(
            self._workspace.engine,
            number,
            self.viewer.name,
            note,
            now,
            lambda c, _: self._audit(c, "alarm.acknowledge", found, now, address, {"note": note}),
        )

    def silence(self, number: int, until: datetime, note: str, now: datetime, address: str) -> None:
        found = self._acting(number)
        after = {"note": note, "until": until.isoformat()}
        silence(
            self._workspace.engine,
            number,
            self.viewer.name,
            until,
            note,
            now,
            lambda c, _: self._audit(c, "alarm.silence", found, now, address, after),
        )

    def evaluate(self, now: datetime, public_url: str, environment: Mapping[str, str]) -> Evaluation:
        """Judge all rules but the costly ones. ForbiddenError: the viewer may not set the rules of the park."""
        self._need_park()
        found = evaluate(self._workspace, now, frozenset(KINDS) - SELDOM)
        send_waiting(self._workspace, public_url, environment)
        return found

    def _acting(self, number: int) -> Alarm:
        found = self.one(number)
        if not self.may_act(found):
            raise forbidden()
        return found

    def _own(self, found: Alarm) -> Alarm:
        """Without the names of other enterprises whose matter it is as well."""
        if self.whose is None:
            return found
        return replace(found, enterprises=tuple(e for e in found.enterprises if e in self.whose))

    def _audit(
        self,
        connection: Connection,
        action: str,
        found: Alarm,
        now: datetime,
        address: str,
        after: Mapping[str, Any],
    ) -> None:
        enterprise = found.enterprises[0] if len(found.enterprises) == 1 else ""
        audit(
            connection,
            self.viewer,
            action,
            f"alarm/{found.number}",
            None,
            after,
            now=now,
            address=address,
            enterprise=enterprise,
        )

    # ------------------------------------------------------------------------------------------- rules

    @property
    def sets_park_rules(self) -> bool:
        return may(self.viewer, Right.CHANGE_SETTINGS)

    @property
    def owners(self) -> tuple[str, ...]:
        """For whom the viewer may set rules: "" is the park."""
        own = tuple(e for e in self.park.enterprises() if may(self.viewer, Right.ACKNOWLEDGE_ALARMS, e))
        return ("", *own) if self.sets_park_rules else own if self.whose is not None else ()

    def rules(self) -> tuple[RuleVersion, ...]:
        with self._workspace.engine.connect() as connection:
            return tuple(version for version in rules(connection) if self._sees(version.rule))

    def history(self, rule: str) -> tuple[RuleVersion, ...]:
        """All versions of a rule, newest first. NotFoundError: there is none, or it is another's."""
        with self._workspace.engine.connect() as connection:
            found = history(connection, rule)
        if not found or not self._sees(found[0].rule):
            message = N_("there is no rule {rule}, or you may not see it")
            raise NotFoundError(Problem(message, {"rule": rule}, N_("choose one from the list")))
        return found

    def typed(self, values: Mapping[str, Any]) -> Rule:
        """The rule of a form. InputError: fields that do not fit, or more than the viewer may set."""
        rule = rule_from(values, self.park)
        if rule.owner not in self.owners:
            message, remedy = N_("you may not set rules for this owner"), N_("choose your own enterprise")
            raise InputError(Problem(message, {}, remedy, field="owner"))
        if not rule.owner:
            return rule
        if rule.kind in OF_THE_PARK:
            message, remedy = N_("this kind of rule is for the park alone"), N_("choose another kind")
            raise InputError(Problem(message, {}, remedy, field="kind"))
        if any(who.startswith("webhook:") for who in (*rule.recipients, *rule.escalate_to)):
            message, remedy = N_("webhooks are for the rules of the park"), N_("write addresses of e-mail")
            raise InputError(Problem(message, {}, remedy, field="recipients"))
        return rule

    def save(self, rule: Rule, version: int, now: datetime, address: str) -> RuleVersion:
        if version:
            self._may_set(self.history(rule.id)[0].rule)
        return record(
            self._workspace.engine,
            rule,
            self.viewer.name,
            now,
            version=version,
            note=lambda c, was, to: self._audit_rule(c, was, to, now, address),
        )

    def withdraw(self, rule: str, version: int, now: datetime, address: str) -> None:
        self._may_set(self.history(rule)[0].rule)
        withdraw(
            self._workspace.engine,
            rule,
            self.viewer.name,
            now,
            version=version,
            note=lambda c, was, to: self._audit_rule(c, was, to, now, address),
        )

    def adopt_suggested(self, now: datetime, address: str) -> int:
        """Add the rules that a park begins with and that it has not; how many."""
        self._need_park()
        present = {version.rule.id for version in self.rules()}
        new = [rule for rule in suggested(self.park) if rule.id not in present]
        for rule in new:
            self.save(rule, 0, now, address)
        return len(new)

    def dry_run(self, rule: Rule, month: int) -> DryRun:
        return dry_run(self._workspace, rule, month)

    def months(self) -> Sequence[int]:
        return self._workspace.months()

    def places(self, kinds: Collection[PlaceKind], owner: str) -> list[str]:
        """What a rule of this owner may look at, to choose from; of the park no single meters and flows."""
        found: list[str] = []
        for kind in kinds:
            if kind == "park":
                found += [] if owner else ["park"]
            elif owner:
                names = known_places(self.park, kind)
                found += [f"{kind}:{name}" for name in names if owned(self.park, Place(kind, name), owner)]
            else:
                found.append(f"{kind}:*")
                if kind in ("enterprise", "connection"):
                    found += [f"{kind}:{name}" for name in known_places(self.park, kind)]
        return found

    def _sees(self, rule: Rule) -> bool:
        return self.whose is None or rule.owner in self.whose

    def _may_set(self, rule: Rule) -> None:
        if rule.owner not in self.owners:
            raise forbidden()

    def _need_park(self) -> None:
        if not self.sets_park_rules:
            raise forbidden()

    def _audit_rule(
        self, connection: Connection, was: Rule | None, to: Rule | None, now: datetime, address: str
    ) -> None:
        rule = to or was
        assert rule is not None
        audit(
            connection,
            self.viewer,
            "alarm_rule.set" if to else "alarm_rule.withdraw",
            f"alarm_rule/{rule.id}",
            was.as_dict() if was else None,
            to.as_dict() if to else None,
            now=now,
            address=address,
            enterprise=rule.owner,
        )


def forbidden() -> ForbiddenError:
    message, remedy = N_("you have no right to see or do this"), N_("ask the park's energy and carbon office")
    return ForbiddenError(Problem(message, {}, remedy))
