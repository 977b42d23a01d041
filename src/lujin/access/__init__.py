"""Access 用户与权限: who may see and do what, and the trail of what was done. Knows no HTTP and no workspace."""

from lujin.access.api_tokens import ApiToken, issue_token, revoke_token, token_viewer, tokens_of
from lujin.access.audit import AuditEntry, AuditHead, audit, audit_head, audit_trail, verify_audit
from lujin.access.consents import Consent, consents, give_consent, revoke_consent
from lujin.access.links import Link, first_link, new_link, open_link, use_link
from lujin.access.people import (
    Person,
    PersonForm,
    add_person,
    banks,
    change_person,
    disable_person,
    enable_person,
    people,
    person_of,
)
from lujin.access.policy import holds, may, may_meter, rights_of, token_rights
from lujin.access.sessions import Lifetimes, SignedIn, Visit, sessions_of, sign_out, sign_out_everywhere, signed_in
from lujin.access.sign_in import second_factor, sign_in, sign_in_by_email
from lujin.access.viewer import Right, Role, Viewer

__all__ = [
    "ApiToken",
    "AuditEntry",
    "AuditHead",
    "Consent",
    "Lifetimes",
    "Link",
    "Person",
    "PersonForm",
    "Right",
    "Role",
    "SignedIn",
    "Viewer",
    "Visit",
    "add_person",
    "audit",
    "audit_head",
    "audit_trail",
    "banks",
    "change_person",
    "consents",
    "disable_person",
    "enable_person",
    "first_link",
    "give_consent",
    "holds",
    "issue_token",
    "may",
    "may_meter",
    "new_link",
    "open_link",
    "people",
    "person_of",
    "revoke_consent",
    "revoke_token",
    "rights_of",
    "second_factor",
    "sessions_of",
    "sign_in",
    "sign_in_by_email",
    "sign_out",
    "sign_out_everywhere",
    "signed_in",
    "token_rights",
    "token_viewer",
    "tokens_of",
    "use_link",
    "verify_audit",
]
