"""Roles, rights and what was done, in words."""

from __future__ import annotations

from collections.abc import Mapping

from lujin.errors import N_

ROLES: Mapping[str, str] = {
    "operator": N_("park operator"),
    "enterprise": N_("enterprise"),
    "bank": N_("bank"),
    "verifier": N_("verifier"),
    "device": N_("device"),
}
ROLES_EXPLAINED: Mapping[str, str] = {
    "operator": N_("sees and does everything but write opinions and give consent"),
    "enterprise": N_("sees its own account and readings, sends readings, lets banks see the account"),
    "bank": N_("sees the account of an enterprise while its consent is in force"),
    "verifier": N_("reads everything and writes opinions on closed months"),
    "device": N_("sends readings of its enterprise or meters by a token; cannot sign in"),
}
RIGHTS: Mapping[str, str] = {
    "see_park": N_("see the whole park"),
    "see_account": N_("see accounts"),
    "see_readings": N_("see readings"),
    "write_readings": N_("send readings"),
    "post": N_("post to the books"),
    "close": N_("close months"),
    "restate": N_("restate months"),
    "write_opinion": N_("write opinions"),
    "change_reference": N_("change reference data"),
    "manage_people": N_("manage people"),
    "give_consent": N_("give consent"),
    "see_audit": N_("see the audit trail"),
    "acknowledge_alarms": N_("acknowledge alarms"),
    "change_settings": N_("change settings"),
}
CONSENT_STATES: Mapping[str, str] = {
    "in force": N_("in force"),
    "to come": N_("to come"),
    "over": N_("ended"),
    "revoked": N_("revoked"),
}
# What other rooms record comes here too; an action without words is shown as it is written.
ACTIONS: Mapping[str, str] = {
    "person.add": N_("person added"),
    "person.change": N_("person changed"),
    "person.disable": N_("person disabled"),
    "person.enable": N_("person enabled"),
    "person.language": N_("language changed"),
    "link.invitation": N_("invitation link made"),
    "link.reset": N_("link for a new password made"),
    "link.used.first": N_("first operator came in"),
    "link.used.invitation": N_("invitation accepted"),
    "link.used.reset": N_("password set by link"),
    "sign_in": N_("signed in"),
    "sign_in.refused": N_("sign-in refused"),
    "sign_in.code_refused": N_("second factor refused"),
    "sign_out": N_("signed out"),
    "sign_out_everywhere": N_("signed out everywhere"),
    "password.change": N_("password changed"),
    "second_factor.on": N_("second factor turned on"),
    "second_factor.off": N_("second factor turned off"),
    "second_factor.recovery_codes": N_("recovery codes made"),
    "token.issue": N_("token made"),
    "token.revoke": N_("token revoked"),
    "consent.give": N_("consent given"),
    "consent.revoke": N_("consent revoked"),
    "readings.import": N_("readings imported"),
    "readings.undo": N_("import undone"),
    "accounts.post": N_("posted to the books"),
    "carbon.trace": N_("hours traced"),
    "certificate.issue": N_("certificate issued"),
    "reference.add": N_("reference data added"),
    "alarm.acknowledge": N_("alarm taken on"),
    "alarm.silence": N_("alarm silenced"),
    "alarm_rule.set": N_("rule of alarms set"),
    "alarm_rule.withdraw": N_("rule of alarms withdrawn"),
    "settings.change": N_("settings changed"),
    "month.close": N_("month closed"),
    "month.restate": N_("month restated"),
    "month.opinion": N_("opinion on a month recorded"),
}
