"""Data of charts, with labels in the viewer's language and numbers in the units that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lujin.accounts import Amount
from lujin.errors import N_
from lujin.show.words import Words
from lujin.workspace.overview import TrendMonth
from lujin.workspace.sankey import Mark, Sankey
from lujin.workspace.series import Series

ROLES: Mapping[str, str] = {
    "to": N_("to {name}"),
    "from": N_("from {name}"),
    "others": N_("{count} other enterprises"),
    "pv": N_("Photovoltaics"),
    "wind": N_("Wind power"),
    "use": N_("Own use"),
    "loss": N_("Losses of networks"),
    "gap": N_("Gap: more out than in"),
    "stock": N_("Losses and change of store"),
    "unknown": N_("Not metered"),
    "direct": N_("{name}, burned here"),
    "purchased": N_("bought from {name}"),
    "used": N_("Own use"),
    "sold_outside": N_("Sold outside"),
    "suspense": N_("In suspense"),
    "stored": N_("Stored for good"),
    "stock_change": N_("Change of store"),
    "in_progress": N_("In progress"),
}


def label(mark: Mark, words: Words, others: int) -> str:
    if mark.role == "node":
        return words.node(mark.node)
    party = words.carrier(mark.party) if mark.party in words.park.carriers else words.node(mark.party)
    name = words.node(mark.node) if mark.node else party
    return words.say.fill(ROLES.get(mark.role, mark.role), name=name, count=others)


def sankey_data(picture: Sankey, words: Words, unit: str, carrier: str) -> dict[str, Any]:
    """For the chart ``sankey``: nodes with labels, links in ``unit`` shown."""
    scale = float(Amount(1, unit).value)
    shown = Amount(0, unit).unit
    return {
        "unit": words.unit(shown),
        "carrier": carrier,
        "nodes": [
            {"name": m.key, "label": label(m, words, picture.others), "role": m.role, "node": m.node}
            for m in picture.marks
        ],
        "links": [
            {"source": b.source, "target": b.target, "value": b.value * scale, "kind": b.kind}
            for b in picture.bands
        ],
    }


def trend_data(months: Sequence[TrendMonth], words: Words, carrier: str) -> dict[str, Any]:
    """For the chart ``bars``: what the park bought and made of a carrier, month by month."""
    unit = words.park.carriers[carrier].base_unit
    made = [m.totals.generated if carrier == "electricity" else Amount(0, unit) for m in months]
    bought = [m.totals.energy.get(carrier) for m in months]
    series = [
        {
            "name": words.say(N_("bought")),
            "values": [None if a is None else float(a.value) for a in bought],
            "carrier": carrier,
            "stack": "all",
        }
    ]
    if any(made):
        series.append(
            {
                "name": words.say(N_("made in the park")),
                "values": [float(a.value) for a in made],
                "carrier": "solar",
                "stack": "all",
            }
        )
    labels = [f"{m.month // 100}-{m.month % 100:02}" for m in months]
    return {"unit": words.unit(Amount(0, unit).unit), "x": labels, "series": series, "digits": 0}


def emission_data(months: Sequence[TrendMonth], words: Words, book: str) -> dict[str, Any]:
    """For the chart ``bars``: scopes 1 and 2 of the park as one enterprise, month by month [tCO2e]."""
    found = [m.totals.consolidated.get(book) for m in months]
    return {
        "unit": words.unit("tCO2e"),
        "x": [f"{m.month // 100}-{m.month % 100:02}" for m in months],
        "digits": 0,
        "series": [
            {
                "name": words.say(name),
                "stack": "all",
                "colour": colour,
                "values": [None if c is None else float(getattr(c, part).value) for c in found],
            }
            for name, part, colour in (
                (N_("Scope 1"), "scope1", "--scope-1"),
                (N_("Scope 2"), "scope2", "--scope-2"),
            )
        ],
    }


def series_data(found: Series, names: Mapping[str, str], words: Words) -> dict[str, Any]:
    """For the charts ``lines`` and ``heat``: values per step, and which of them rest on estimates."""
    return {
        "step": found.step,
        "start": int(found.start[0]) if len(found.start) else None,
        "seconds": {"quarter": 900, "hour": 3600}.get(found.step),
        "timezone": found.timezone,
        "series": [
            {
                "id": name,
                "name": names.get(name, name),
                "unit": words.unit(Amount(0, found.units[row]).unit),
                "values": found.values(name),
                "estimated": found.estimated[row].nonzero()[0].tolist(),
                "suspect": found.suspect[row].nonzero()[0].tolist(),
            }
            for row, name in enumerate(found.names)
        ],
    }
