"""What needs attention (告警): rules over what is known, findings, and the life of an alarm until it is cleared.

``Rule`` is dated data; ``findings`` judges what is known, and knows no clock; ``watch`` raises, keeps, escalates
and clears, and has ``deliver`` tell people by e-mail and webhook.
"""

from lujin.alarms.book import Alarm, AlarmEvent, acknowledge, alarm, alarms, open_count, silence
from lujin.alarms.dry import DryRun, dry_run
from lujin.alarms.evaluate import findings
from lujin.alarms.finding import Finding
from lujin.alarms.known import Known, known
from lujin.alarms.outbox import Sent, given_up_since, messages_of
from lujin.alarms.parse import rule_from
from lujin.alarms.rulebook import RuleVersion, history, record, rules, suggested, withdraw
from lujin.alarms.rules import KINDS, Place, Rule
from lujin.alarms.tell import send_waiting
from lujin.alarms.watch import SELDOM, Evaluation, evaluate

__all__ = [
    "KINDS",
    "SELDOM",
    "Alarm",
    "AlarmEvent",
    "DryRun",
    "Evaluation",
    "Finding",
    "Known",
    "Place",
    "Rule",
    "RuleVersion",
    "Sent",
    "acknowledge",
    "alarm",
    "alarms",
    "dry_run",
    "evaluate",
    "findings",
    "given_up_since",
    "history",
    "known",
    "messages_of",
    "open_count",
    "record",
    "rule_from",
    "rules",
    "send_waiting",
    "silence",
    "suggested",
    "withdraw",
]
