"""What each reference table looks like: which columns name a fact, which hold numbers, which units are allowed.

A table is a CSV file with one published fact per row. Every table has ``value``, ``unit``, ``valid_from``,
``valid_to``, ``source``, ``confidence``, ``evidence`` and ``note``; a park's own file has the same columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OPTIONAL: frozenset[str] = frozenset({"evidence", "note"})
CONFIDENCE: frozenset[str] = frozenset({"verified", "unverified"})
_LAST = ("valid_from", "valid_to", "source", "confidence", "evidence", "note")


@dataclass(frozen=True, slots=True)
class Schema:
    """One table.

    ``columns``: in file order. ``selector``: the columns that together name a fact; at most one row per
    combination may be in force on a date. ``key``: the columns that name a row; a park row with the same key
    takes the place of the shipped one. ``numbers``: columns that hold a number or nothing. ``units``: what
    ``unit`` may say (empty: anything). ``text_units``: units whose value is words. ``words``: what other columns
    may say.
    """

    name: str
    columns: tuple[str, ...]
    selector: tuple[str, ...]
    key: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    text_units: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(c for c in self.columns if c not in OPTIONAL)


def _schema(
    name: str,
    columns: str,
    selector: str,
    *,
    key: str = "",
    numbers: str = "",
    units: tuple[str, ...] = (),
    text_units: tuple[str, ...] = (),
    words: Mapping[str, tuple[str, ...]] | None = None,
    last: tuple[str, ...] = _LAST,
) -> Schema:
    chosen = tuple(selector.split())
    return Schema(
        name=name,
        columns=(*columns.split(), *last),
        selector=chosen,
        key=tuple(key.split()) or (*chosen, "valid_from"),
        numbers=tuple(numbers.split()),
        units=units,
        text_units=text_units,
        words=words or {},
    )


SCHEMAS: Mapping[str, Schema] = {
    s.name: s
    for s in (
        _schema(
            "grid_factors",
            "factor_id scope region_zh region_en data_year basis purpose value unit",
            "region_zh basis purpose data_year",
            key="factor_id",
            numbers="data_year value",
            units=("kgCO2/kWh", "kgCO2e/kWh"),
        ),
        _schema(
            "fuel_factors",
            "set_id kind name_zh name_en activity_unit ncv ncv_unit carbon_content_tC_per_TJ"
            " oxidation_fraction value unit",
            "set_id kind name_zh unit",
            numbers="ncv carbon_content_tC_per_TJ oxidation_fraction value",
        ),
        _schema(
            "scope3_factors",
            "category carrier name_zh name_en stage gas gwp value unit",
            "category carrier stage gas gwp",
            numbers="value",
            units=("kg/kWh", "kg/GJ", "kg/t", "kg/kg", "kg/m3", "kg/Nm3", "kg/t.km"),
            words={
                "category": ("1", "3", "4", "5", "9"),
                "gas": ("CO2f", "CO2b", "CH4f", "CH4b", "N2O", "CO2e"),
            },
        ),
        _schema(
            "uncertainties",
            "kind applies_to medium parameter distribution coverage lower upper value unit",
            "kind applies_to medium parameter",
            numbers="lower upper value",
            units=("%",),
        ),
        _schema(
            "gwp",
            "gas formula assessment horizon_years value unit",
            "gas assessment horizon_years",
            numbers="horizon_years value",
            units=("kgCO2e/kg",),
        ),
        _schema(
            "coal_equivalents",
            "kind name_zh name_en standard heat_value heat_unit value unit",
            "kind name_zh standard",
            numbers="heat_value value",
            units=("kgce/kg", "kgce/m3", "kgce/kWh", "kgce/MJ", "kgce/t", "kgce"),
        ),
        _schema(
            "tariffs",
            "region applies_to customer_class voltage item period months start end operator value unit",
            "region applies_to customer_class voltage item period months start end",
            numbers="value",
            text_units=("list", "role"),
        ),
        _schema(
            "zero_carbon_park",
            "indicator_id type name_zh name_en formula condition operator value unit",
            "indicator_id condition",
        ),
        _schema(
            "green_factory",
            "scheme indicator_no level1_zh level1_en level1_weight name_zh name_en direction formula operator"
            " value weight unit",
            "scheme indicator_no name_zh",
            numbers="level1_weight weight",
        ),
        _schema(
            "hj274_2015",
            "no group_zh group_en name_zh name_en unit operator value condition requirement choice_group"
            " choose_at_least",
            "no",
            numbers="choose_at_least",
            last=("valid_from", "valid_to", "source", "confidence", "name_confidence", "evidence", "note"),
        ),
        _schema(
            "data_centre",
            "item_id scheme name_zh name_en formula condition operator value unit score",
            "scheme item_id condition",
        ),
        _schema(
            "innovation_points",
            "scheme no level1_zh level1_en name_zh name_en weight_startup weight_growth weight_stable value"
            " unit rule",
            "scheme no name_zh",
            numbers="weight_startup weight_growth weight_stable value",
        ),
    )
}
