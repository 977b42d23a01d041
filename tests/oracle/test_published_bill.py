"""A published bill: hourly readings, time-of-use prices and a demand charge, month by month to the cent."""

from __future__ import annotations

import gzip
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lujin.accounts.rules import basic_charge, energy_cost

BILL = Path(__file__).parents[2] / "../shared/data/industrial_bill_storage_dervet"


@pytest.mark.skipif(not BILL.is_dir(), reason="shared/data/industrial_bill_storage_dervet absent")
def test_the_bill_of_a_works_is_reproduced() -> None:
    """EPRI DER-VET, predefined case "DER for bill reduction", columns "Original": without any equipment."""
    with gzip.open(BILL / "timeseries_2017.csv.gz") as file:
        load = pl.read_csv(file.read())
    ending = load["datetime_hour_ending"].str.to_datetime("%m/%d/%Y %H:%M")
    start = ending.dt.offset_by("-1h")
    kwh = load["site_load_kw"].to_numpy()
    month, hour = start.dt.month().to_numpy(), start.dt.hour().to_numpy() + 1  # hours 1 to 24 by their end
    weekday = (start.dt.weekday() <= 5).to_numpy()
    tariff = pl.read_csv(BILL / "tariff.csv", schema_overrides={"Value": pl.String})
    published = pl.read_csv(BILL / "expected_monthly_bill.csv")
    for at, row in enumerate(published.iter_rows(named=True), 1):
        cost, billed = 0, np.zeros(len(kwh), np.int64)
        for span in tariff.filter(pl.col("Charge") == "Energy").iter_rows(named=True):
            if not span["Start Month"] <= at <= span["End Month"]:
                continue
            inside = (month == at) & (hour >= span["Start Time"]) & (hour <= span["End Time"])
            inside &= weekday == bool(span["Weekday?"])
            billed += inside
            used = round(sum(Fraction(Decimal(repr(v))) * 1000 for v in kwh[inside].tolist()))
            cost += int(energy_cost([used], price=Decimal(span["Value"]), base_per_unit=1000)[0])
        assert (billed == (month == at)).all()  # every hour has one price
        assert abs(cost - round(row["Original Energy Charge ($)"] * 100)) <= 4  # half a cent per span
        peak = round(float(kwh[month == at].max()) * 1000)
        demand = int(basic_charge([peak], price=Decimal("7.016"))[0])
        assert abs(demand - round(row["Original Demand Charge ($)"] * 100)) <= 1
