"""Published rows with a name a person can read: what, where, since when; the raw key stays in JSON."""

from __future__ import annotations

from collections.abc import Mapping

from lujin.errors import N_
from lujin.reference.rows import decimal_of
from lujin.show.words import PERIODS, Words

BASIS: Mapping[str, str] = {
    "average": N_("grid average"),
    "average excluding market-traded non-fossil": N_("residual mix without traded non-fossil power"),
    "fossil power only": N_("fossil power"),
    "average (reporting default)": N_("national average for reporting"),
    "life-cycle carbon footprint": N_("carbon footprint"),
    "OM (operating margin)": N_("operating margin"),
    "BM (build margin)": N_("build margin"),
    "pilot ETS default": N_("default of the pilot market"),
}
ITEMS: Mapping[str, str] = {
    "period_clock": N_("tariff clock"),
    "ratio_to_flat": N_("ratio to the flat price"),
    "government_funds": N_("government funds and surcharges"),
    "price_zone": N_("price zone"),
    "energy_price": N_("energy price"),
    "demand_charge": N_("basic charge by demand"),
    "capacity_charge": N_("basic charge by capacity"),
    "td_energy_price": N_("transmission and distribution price"),
    "zone_cross_subsidy": N_("zone adder"),
    "rule_two_part_threshold": N_("threshold of the two-part tariff"),
    "rule_min_contract_demand": N_("least contract demand"),
    "rule_high_load_factor_discount": N_("discount for high load factor"),
    "rule_high_load_factor_threshold": N_("threshold of the high load factor"),
    "rule_temperature_trigger": N_("temperature that triggers super peak"),
    "rule_rounding": N_("rounding of prices"),
    "rule_basic_charge_days": N_("days that make a month of the basic charge"),
    "rule_price_excludes": N_("parts outside the price ratio"),
    "rule_demand_excess": N_("demand above the contract"),
    "rule_demand_excess_multiple": N_("price of demand above the contract"),
    "component_role": N_("role of a price component"),
    "coal_benchmark_feed_in": N_("coal benchmark feed-in price"),
    "mechanism_price": N_("mechanism price"),
    "gec_price": N_("green certificate price"),
    "carbon_price_cea": N_("carbon allowance price (CEA)"),
    "carbon_price_ccer": N_("carbon credit price (CCER)"),
}
TABLES: Mapping[str, str] = {
    "grid_factors": N_("grid emission factors"),
    "fuel_factors": N_("fuel and process factors"),
    "scope3_factors": N_("scope 3 factors"),
    "uncertainties": N_("uncertainties of meters and factors"),
    "gwp": N_("global warming potentials"),
    "coal_equivalents": N_("standard-coal coefficients"),
    "tariffs": N_("electricity tariffs and prices"),
    "zero_carbon_park": N_("zero-carbon park indicators"),
    "green_factory": N_("green factory indicators"),
    "hj274_2015": N_("eco-industrial park indicators (HJ 274-2015)"),
    "data_centre": N_("data centre indicators"),
    "innovation_points": N_("innovation points"),
}
PURPOSES: Mapping[str, str] = {
    "location-based accounting; reference for accounting subjects": N_("location-based accounting"),
    "location-based accounting; reference for accounting subjects; national ETS/enterprise reporting default "
    "when the year applies": N_("location-based accounting; national market and enterprise reports of the year"),
    "residual electricity of a subject that counts its green-power purchases as zero": N_(
        "market-based accounting: power without a claim"
    ),
    "avoided-fossil reference; not for consumption accounting": N_("avoided fossil power only"),
    "historic provincial inventories only": N_("historic provincial inventories only"),
    "national ETS and key-industry enterprise reports of that year": N_(
        "national market and enterprise reports of the year"
    ),
    "product carbon footprint (ISO 14067 / GB/T 24067) only; not for organisation accounting": N_(
        "product carbon footprint only"
    ),
    "emission-reduction projects (CCER/CDM) only; wrong for consumption accounting": N_(
        "emission-reduction projects only"
    ),
    "Shanghai pilot ETS reporting": N_("reports of the Shanghai pilot market"),
}
COLUMNS: Mapping[str, str] = {
    "factor_id": N_("id of the row"),
    "scope": N_("scope"),
    "region": N_("region"),
    "region_zh": N_("region, in Chinese"),
    "region_en": N_("region, in English"),
    "data_year": N_("year of the data"),
    "basis": N_("basis"),
    "purpose": N_("use"),
    "value": N_("value"),
    "unit": N_("unit"),
    "valid_from": N_("holds from"),
    "valid_to": N_("holds until"),
    "source": N_("source"),
    "confidence": N_("confidence"),
    "evidence": N_("evidence"),
    "note": N_("note"),
    "set_id": N_("set of parameters"),
    "kind": N_("kind"),
    "name_zh": N_("name, in Chinese"),
    "name_en": N_("name, in English"),
    "activity_unit": N_("unit of the activity"),
    "ncv": N_("net calorific value"),
    "ncv_unit": N_("unit of the net calorific value"),
    "carbon_content_tC_per_TJ": N_("carbon content [tC/TJ]"),
    "oxidation_fraction": N_("oxidation fraction"),
    "category": N_("category of scope 3"),
    "carrier": N_("carrier"),
    "stage": N_("stage"),
    "gas": N_("gas"),
    "gwp": N_("GWP set"),
    "applies_to": N_("applies to"),
    "medium": N_("medium"),
    "parameter": N_("parameter"),
    "distribution": N_("distribution"),
    "coverage": N_("coverage"),
    "lower": N_("lower bound"),
    "upper": N_("upper bound"),
    "formula": N_("formula"),
    "assessment": N_("assessment report"),
    "horizon_years": N_("time horizon [years]"),
    "standard": N_("standard"),
    "heat_value": N_("heat value"),
    "heat_unit": N_("unit of the heat value"),
    "customer_class": N_("customer class"),
    "voltage": N_("voltage"),
    "item": N_("item"),
    "period": N_("tariff period"),
    "months": N_("months"),
    "start": N_("from (time of day)"),
    "end": N_("to (time of day)"),
    "operator": N_("comparison"),
    "condition": N_("condition"),
}
OPERATORS: Mapping[str, str] = {"": "", "=": "", ">": "> ", ">=": "≥ ", "<": "< ", "<=": "≤ "}


def factor_name(words: Words, table: str, values: Mapping[str, str]) -> str:
    """What a published row is about, in the user's language where the table gives both."""
    say = words.say
    match table:
        case "grid_factors":
            region = say.name(values["region_zh"], values["region_en"])
            basis = words.term(BASIS, values["basis"])
            return " ".join(part for part in (region, basis, values["data_year"]) if part)
        case "fuel_factors":
            return _about(words, say.name(values["name_zh"], values["name_en"]), values["set_id"])
        case "coal_equivalents":
            return _about(words, say.name(values["name_zh"], values["name_en"]), values["standard"])
        case "gwp":
            return f"{values['gas']} GWP-{values['horizon_years']} ({values['assessment']})"
        case "scope3_factors":
            said = f"S3.{values['category']}, {words.commodity(values['gas'])}"
            return _about(words, say.name(values["name_zh"], values["name_en"]) or values["carrier"], said)
        case "uncertainties":
            return _uncertain(words, values)
        case "tariffs":
            item = words.term(ITEMS, values["item"])
            period = words.term(PERIODS, values["period"])
            clock = f"{values['start']}–{values['end']}" if values["start"] else ""
            months = say.fill(N_("months {months}"), months=values["months"]) if values["months"] else ""
            where = [
                values["region"],
                *_told(words, values["applies_to"], values["customer_class"], values["voltage"]),
            ]
            head = words.comma().join(part for part in (item, period, clock, months) if part)
            return _about(words, head, words.comma().join(part for part in where if part))
    return _about(
        words, say.name(values.get("name_zh", ""), values.get("name_en", "")), values.get("condition", "")
    )


def _uncertain(words: Words, values: Mapping[str, str]) -> str:
    """``fuel_factors:IPCC2006|fuel|天然气|*`` reads 天然气 (IPCC2006, carbon content)."""
    applies = values["applies_to"]
    if values["kind"] == "meter_class":
        name = words.say.fill(N_("accuracy class {name}"), name=applies)
        return _about(words, name, words.term(MEDIA, values["medium"]))
    parts = [part for part in applies.partition(":")[2].split("|") if part not in ("", "*", "fuel", "parameter")]
    number = words.term(NUMBERS, values["parameter"])
    if len(parts) < 2:
        return _about(words, applies.replace("|", " ").replace("@", " "), number)
    return _about(words, " ".join(parts[1:]), words.comma().join(part for part in (parts[0], number) if part))


MEDIA: Mapping[str, str] = {
    "electricity": N_("electricity"),
    "heat": N_("heat"),
    "steam": N_("steam"),
    "gas": N_("gas"),
    "mass": N_("mass"),
    "water": N_("water"),
}
NUMBERS: Mapping[str, str] = {
    "value": N_("factor"),
    "ncv": N_("net calorific value"),
    "carbon_content": N_("carbon content"),
}


def _about(words: Words, name: str, detail: str) -> str:
    return words.say.fill(N_("{name} ({detail})"), name=name, detail=detail) if detail else name


def _told(words: Words, *texts: str) -> list[str]:
    """Texts of a tariff row that say something; "all" does not."""
    return [words.say(PLACES.get(text, text)) for text in texts if text not in ("", "all", "全省")]


PLACES: Mapping[str, str] = {
    "industrial and commercial TOU": N_("industrial and commercial, time of use"),
    "industrial and commercial TOU (agency purchase)": N_(
        "industrial and commercial, time of use, agency purchase"
    ),
    "全省 incl. 肇庆": N_("Zhaoqing as the whole province"),
    "全省 incl. 青岛 济南": N_("Qingdao and Jinan as the whole province"),
    "粤北山区 (河源 etc.)": N_("mountains of northern Guangdong"),
}


def factor_value(words: Words, values: Mapping[str, str]) -> tuple[str, str]:
    """Number (with ≥ or ≤ where the row is a threshold) and unit as printed; empty where the fact is in words."""
    unit = "" if values["unit"] in ("ratio", "list", "role") else words.unit(values["unit"])
    if decimal_of(values["value"]) is None:
        return "", unit
    return f"{OPERATORS.get(values.get('operator', ''), '')}{values['value']}", unit


def factor_text(words: Words, table: str, values: Mapping[str, str]) -> str:
    """Name, with what the row says where that is no number."""
    name = factor_name(words, table, values)
    said = values["value"].strip()
    if not said or decimal_of(said) is not None:
        return name
    return words.say.fill(N_("{place}: {said}"), place=name, said=said)


def source_name(words: Words, source: str) -> str:
    """The source as published; only our own words for parks without one are translated."""
    if source in SOURCES:
        return words.say(SOURCES[source])
    return source.replace(ISSUERS, words.say(ISSUERS))


ISSUERS = N_("MEE+NBS")  # 生态环境部、国家统计局, as the tables abbreviate them
SOURCES: Mapping[str, str] = {
    "demo composite, no published table": N_("composed for the demo, no published table"),
}
