"""Sentences about an enterprise's months. Hold no calculation."""

from __future__ import annotations

from lujin.errors import N_
from lujin.language import Speech
from lujin.show.amounts import month_text, percent
from lujin.workspace.trend import Against, Trend


def change_text(found: Against, say: Speech) -> str:
    """How a month stands to the mean of those before.

    >>> from lujin.accounts import Amount
    >>> one = Amount(1, "Wh")
    >>> change_text(Against("cost", one, one, None, one, 5, -0.126), Speech("en"))
    '12.6 % below the mean of the 5 months before'
    """
    if found.change is None:
        return say(N_("no month before to compare with"))
    part = percent(abs(found.change))
    if round(found.change, 3) == 0:
        return say.fill(N_("as the mean of the {count} months before"), count=found.months)
    text = N_("{part} above the mean of the {count} months before")
    if found.change < 0:
        text = N_("{part} below the mean of the {count} months before")
    return say.fill(text, part=part, count=found.months)


def measured_text(found: Trend, say: Speech) -> str:
    """Completeness of what a chart of months shows."""
    known = [(p.month, p.completeness.measured_part) for p in found.months if p.posted]
    partly = [(month, part) for month, part in known if part is not None and part < 1]
    if not known:
        return say(N_("nothing is posted"))
    if not partly:
        return say(N_("Every month shown is wholly measured."))
    month, part = min(partly, key=lambda pair: pair[1])
    text = N_("{count} of {whole} months are not wholly measured, the least is {month} with {part}.")
    return say.fill(text, count=len(partly), whole=len(known), month=month_text(month), part=percent(part))
