"""Statements of the example park, and altered ones for what no example has."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

import lujin
from lujin.accounts import Amount, Statement
from lujin.accounts.settle import Settlement
from lujin.demo import write_demo
from lujin.language import Language, Speech
from lujin.publish.letterhead import Letterhead, Paper
from lujin.show.paper import PaperNames
from lujin.show.words import Words
from lujin.workspace import Workspace
from lujin.workspace.publishing import letterhead

ROOT = Path(__file__).parents[3]
MONTH = 202506
LONG = "很长很长的企业名称" * 12 + "有限责任公司 with_an_unbreakable_english_tail_" + "x" * 90

Papers = Callable[..., Paper]


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    place = tmp_path_factory.mktemp("paper") / "mypark"
    shutil.copytree(ROOT / "examples" / "own-park", place)
    park = lujin.open(place, environment={})
    park.import_files([place / "exports"])
    park.run()
    yield park
    park.engine.dispose()


@pytest.fixture(scope="session")
def paper(workspace: Workspace) -> Papers:
    """``paper("zh", book="market", month=202506, head=Letterhead())``: a statement of E001, ready to print."""

    def make(
        language: Language = "en", book: str = "location", month: int = MONTH, head: Letterhead | None = None
    ) -> Paper:
        return paper_of(workspace, language, "E001", month, book, head)

    return make


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The demo park with January 2025: a plant with joint production, embodied carbon, scope 3."""
    place = tmp_path_factory.mktemp("paper_demo") / "park"
    files = write_demo(place, enterprises=12, months=1)
    park = lujin.open(place, environment={})
    park.import_files(files.arrivals)
    park.run()
    yield park
    park.engine.dispose()


def paper_of(
    park: Workspace, language: Language, enterprise: str, month: int, book: str, head: Letterhead | None = None
) -> Paper:
    found = park.statement(enterprise, month, book)
    names = PaperNames(Words(Speech(language), park.park))
    physical = park.statement(enterprise, month, "physical")
    return Paper(found, physical, names, letterhead(park, found) if head is None else head)


def settled(paper: Paper) -> Paper:
    """With two flows that two meters measured, of which one settles and the other's uncertainty is unknown."""
    gj = [Amount(n * 10**6 + 7, "kJ") for n in (5163, 5170, 103, 77, 129, -7, 5166)]
    own, other, own_u, other_u, both, gap, kept = gj
    known = Settlement(
        "steam-E006", "E006", ("A",), ("B",), own, other, own_u, other_u, both, gap, "mean", kept, 2000, 2688
    )
    unknown = replace(known, flow="steam-E003", own_uncertainty=None, uncertainty=None, outcome="unknown")
    return replace(paper, statement=replace(paper.statement, settlements=(known, unknown)))


def crowded(paper: Paper, lines: int = 200, times: int = 10**9) -> Paper:
    """Long names, many lines, amounts of 18 digits."""
    found = paper.statement
    accounts = tuple(
        replace(
            line,
            account=f"S2/{'electricity_of_hall_' * 3}{n}",
            opening=Amount((n - 987654321) * times + 1, "mg"),
            closing=Amount((123456789 + n) * times, "mg"),
        )
        for n, line in zip(range(lines), found.accounts * lines, strict=False)
    )
    meters = tuple(
        replace(found.meters[0], meter=f"METER_{'WITHOUT_END' * 5}-{n}" if n % 2 else f"{'表' * 60}{n}")
        for n in range(lines)
    )
    statement = replace(found, name_zh=LONG, name_en=LONG, accounts=accounts, meters=meters)
    energy = tuple(replace(e, purchased=Amount(8 * 10**17 + 1, e.used.base_unit)) for e in found.energy)
    return replace(paper, statement=replace(statement, energy=energy, cost_total=Amount(10**15, "0.01 CNY")))


def amounts(value: Any) -> Iterator[Amount]:
    """Every amount in a record, at any depth."""
    if isinstance(value, Amount):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from amounts(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from amounts(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from amounts(item)


DECIMALS = {"kWh": 1, "m3": 1, "GJ": 3, "t": 3, "tce": 3, "tCO2e": 3, "CNY": 2}


def printed(amount: Amount) -> str:
    """As it is to stand on paper, by a second way of writing."""
    value, digits = amount.value, DECIMALS[amount.unit]
    if value and float(abs(value)) < 0.5 * 10**-digits:
        digits = int(f"{value:e}".partition("e-")[2])  # its first digit, however small
    sign = "−" if value < 0 else ""
    return sign + f"{abs(round(Decimal(value), digits)):,.{digits}f}"


def lines_of(statement: Statement) -> list[Any]:
    """Everything with gases that stands on the paper."""
    embodied = statement.embodied.lines if statement.embodied is not None else ()
    iso = statement.iso14064 if statement.scope3 else ()
    return [*statement.carbon, *statement.scope3, *iso, *embodied]


def gases_kg(statement: Statement) -> list[str]:
    """CH4 and N2O of the lines, in kg."""
    found = []
    for line in lines_of(statement):
        for gas, amount in line.gases.items():
            if not gas.startswith("CO2"):
                found.append(printed(Amount(amount.base * 1000, "mg")))
    return found


def pages_of(made: bytes) -> list[str]:
    """The text of each page; the breaks that long names may have are taken out."""
    with pypdfium2.PdfDocument(made) as document:
        return [page.get_textpage().get_text_bounded().replace("\u200b", "") for page in document]
