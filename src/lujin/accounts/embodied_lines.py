"""The solved month of book ``embodied`` as ledger lines: sources per day, all else on the month's last day."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lujin.accounts.embodied import GASES, EmbodiedMonth, Integers
from lujin.accounts.embodied_sources import Source
from lujin.accounts.lines import Quality
from lujin.accounts.pools import PARK_EDGE, Edge, Floats
from lujin.accounts.poster import Poster


def post_embodied(poster: Poster, month: EmbodiedMonth) -> None:
    """Lines of the wanted enterprises. A transfer inside the park has the same amounts on both sides."""
    for source in month.sources:
        _post_source(poster, month, source)
    for e, edge in enumerate(month.graph.edges):
        _post_edge(poster, month, e, edge)
    for pool in range(len(month.graph.pools)):
        _post_rest(poster, month, pool)
    for pool, (start, end) in month.stocks.items():
        _post_level(poster, month, pool, round(end) - round(start))


def _line(
    poster: Poster,
    enterprise: str,
    amounts: Integers,
    days: Integers,
    *,
    debit: str,
    credit: str,
    commodity: str,
    rule: str,
    factor: str = "",
    subject: str = "",
    quality: Quality = "measured",
) -> None:
    if enterprise in poster.wanted and amounts.any():
        poster.out.add(
            amounts[None, :],
            days,
            enterprise=[enterprise],
            debit=[debit],
            credit=[credit],
            subject=[subject],
            book="embodied",
            commodity=commodity,
            rule=rule,
            factor=factor,
            quality=quality,
        )


def _post_source(poster: Poster, month: EmbodiedMonth, source: Source) -> None:
    graph = month.graph
    memo = source.account.startswith("MEMO/")
    sides: tuple[tuple[Quality, Integers], ...] = (("measured", source.measured), ("estimated", source.estimated))
    for quality, amounts in sides:
        _line(
            poster,
            graph.owner(source.pool),
            -amounts if memo else amounts,
            poster.days,
            debit=source.account if memo else f"WIP/{graph.pools[source.pool].label}",
            credit=f"NET/{graph.pools[source.pool].label}" if memo else source.account,
            commodity=source.gas,
            rule=source.rule,
            factor=source.factor,
            subject=graph.subjects[source.row].label,
            quality=quality,
        )


def _post_edge(poster: Poster, month: EmbodiedMonth, e: int, edge: Edge) -> None:
    graph = month.graph
    amounts = month.passed.edge[e]
    if not amounts.any():
        return
    seller = graph.owner(edge.source)
    origin = f"WIP/{graph.pools[edge.source].label}"
    subject = graph.subjects[edge.row].label if edge.row >= 0 else ""
    rule = month.rules.get(edge.target, "pass_on@1") if edge.row < 0 else "pass_on@1"
    if edge.disputed:
        sides = [(seller, f"SUSPENSE/{edge.disputed}", origin)]
    elif edge.target == PARK_EDGE:
        sides = [(seller, f"OUT/{graph.subjects[edge.row].target}", origin)]
    else:
        buyer = graph.owner(edge.target)
        target = f"WIP/{graph.pools[edge.target].label}"
        if seller == buyer:
            sides = [(seller, target, origin)]
        else:
            sides = [(seller, f"DUE/{buyer}", origin), (buyer, target, f"DUE/{seller}")]
    guessed = month.estimated[edge.source] * month.moved.edge[e, 0]
    if edge.row >= 0:
        split = poster.flows.days.at(edge.row)
        whole = int(split.total.sum())
        share = min(max(int(split.estimated.sum()) / whole, 0.0), 1.0) if whole else 0.0
        guessed = guessed + (amounts - guessed) * share
    for enterprise, debit, credit in sides:
        for gas, quality, amount in _by_quality(amounts, guessed):
            _line(
                poster,
                enterprise,
                np.array([amount], dtype=np.int64),
                poster.days[-1:],
                debit=debit,
                credit=credit,
                commodity=gas,
                rule=rule,
                subject=subject,
                quality=quality,
            )


def _post_rest(poster: Poster, month: EmbodiedMonth, pool: int) -> None:
    """Final use; of a store what is left in it, less what was in it at the start."""
    graph = month.graph
    amounts = month.passed.final[pool]
    store = graph.roles[pool] == "store"
    if store and not month.solution.held[pool]:
        amounts = amounts - month.openings.get(pool, np.zeros(len(GASES), dtype=np.int64))
    node = graph.pools[pool].node
    guessed = np.zeros(len(GASES)) if store else month.estimated[pool] * month.moved.final[pool, 0]
    for gas, quality, amount in _by_quality(amounts, guessed):
        _line(
            poster,
            graph.owner(pool),
            np.array([amount], dtype=np.int64),
            poster.days[-1:],
            debit=f"STK/{node}" if store else f"OWN/{node}",
            credit=f"WIP/{graph.pools[pool].label}",
            commodity=gas,
            rule="stock_change@1" if store else "pass_on@1",
            quality=quality,
        )


def _by_quality(amounts: Integers, guessed: Floats) -> Iterator[tuple[str, Quality, int]]:
    """(gas, quality, whole amount): the estimated part is rounded, the rest is measured."""
    for column, gas in enumerate(GASES):
        whole = int(amounts[column])
        if whole:
            estimated = min(max(round(float(guessed[column])), min(whole, 0)), max(whole, 0))
            yield gas, "measured", whole - estimated
            yield gas, "estimated", estimated


def _post_level(poster: Poster, month: EmbodiedMonth, pool: int, change: int) -> None:
    """What the store holds more or less than before, in energy: next month's opening."""
    node, carrier = month.graph.pools[pool].node, month.graph.pools[pool].carrier
    _line(
        poster,
        month.graph.owner(pool),
        np.array([change], dtype=np.int64),
        poster.days[-1:],
        debit=f"STK/{node}",
        credit=f"NET/{node}",
        commodity=carrier,
        rule="stock_change@1",
    )
