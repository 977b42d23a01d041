"""A meter beside those of its kind: a band of shares, names only for those who may know them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from math import pi, sin

import pytest

from lujin.workspace.neighbours import LEAST, Comparison, compare

from .small_park import MONTH, Site, register, text_of

SECTOR = 'kind = "enterprise"\nsector = "{code}"'


def works(site: Callable[..., Site], sectors: list[str]) -> Site:
    """A works per sector; all run alike, each swings a little more, but the first is awake when they sleep."""
    text = text_of(len(sectors))
    for n, code in enumerate(sectors, start=1):
        text = text.replace(f'id = "E{n}"\nkind = "enterprise"', f'id = "E{n}"\n{SECTOR.format(code=code)}')
    park = site(text=text)
    for n in range(1, len(sectors) + 1):
        park.take(register(f"M{n}", rate=_rate(1 if n == 1 else -0.5 - 0.1 * n, 100.0 * n)))
    return park


def _rate(swing: float, size: float) -> Callable[[datetime], float]:
    return lambda at: size * (1.5 + swing * sin(at.hour / 12 * pi))


def asked(site: Site, *, anonymous: bool, meter: str = "M1") -> Comparison:
    return compare(site.open(), meter, MONTH, anonymous=anonymous)


def test_size_does_not_matter_and_the_unlike_meter_leaves_the_band(site: Callable[..., Site]) -> None:
    park = works(site, ["C3670"] * 7)
    odd, usual = asked(park, anonymous=False), asked(park, anonymous=False, meter="M4")
    assert odd.group == "class"
    assert odd.meters == 6
    assert odd.inside is not None
    assert odd.inside < 0.3
    assert {peer.likeness for peer in odd.peers} == {-1.0}
    assert usual.inside == pytest.approx(1, abs=0.1)
    assert odd.frame["own"].max() == 1


def test_an_enterprise_sees_a_band_over_enough_others_and_no_names(site: Callable[..., Site]) -> None:
    found = asked(works(site, ["C3670"] * (LEAST + 1)), anonymous=True)
    assert found.peers == ()
    assert (found.group, found.meters, found.enterprises) == ("class", LEAST, LEAST)
    assert set(found.frame["count"].unique()) == {0, LEAST}
    assert "M2" not in str(found.as_dict())


def test_too_few_others_give_no_band(site: Callable[..., Site]) -> None:
    park = works(site, ["C3670"] * LEAST)
    found = asked(park, anonymous=True)
    assert (found.group, found.meters, found.inside) == ("none", 0, None)
    assert found.frame["middle"].null_count() == found.frame.height
    assert found.frame["own"].null_count() < found.frame.height
    assert asked(park, anonymous=False).meters == LEAST - 1


def test_a_rare_class_is_compared_within_its_division_and_else_within_the_carrier(
    site: Callable[..., Site],
) -> None:
    assert asked(works(site, ["C3670", *["C3610"] * LEAST]), anonymous=True).group == "division"
    other = [f"C{n}11" for n in range(14, 14 + LEAST)]
    assert asked(works(lambda text: site("other", text), ["C3670", *other]), anonymous=True).group == "carrier"
