"""How people write single values in a park description, and what we make of them.

Each reader takes one raw value (TOML or cell), returns the typed value or raises a ``PydanticCustomError``
whose context holds message, remedy and their parameters; ``schema`` turns that into a ``Problem`` with a
place. The writers at the end are the exact inverses.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, PlainValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from lujin.errors import N_
from lujin.park.carriers import unit_name
from lujin.park.model import JointMethod
from lujin.park.names import closest

# Characters that have a meaning in account names, formulas, lists or file names.
_NOT_IN_IDS = re.compile(r"[\s\x00-\x1f\x7f-\x9f/\\>:;,+=*\"'|&<；＝]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_INTERVAL = re.compile(r"([1-9][0-9]{0,6}) *(s|min|h|d)")
_INTERVAL_S = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_SECTOR = re.compile(r"([A-T])([0-9]{2})([0-9]{0,2})")
# GB/T 4754-2017, clause 5 table 1: the divisions (大类) of each section (门类).
_SECTIONS = (
    *(("A", 1, 5), ("B", 6, 12), ("C", 13, 43), ("D", 44, 46), ("E", 47, 50), ("F", 51, 52), ("G", 53, 60)),
    *(("H", 61, 62), ("I", 63, 65), ("J", 66, 69), ("K", 70, 70), ("L", 71, 72), ("M", 73, 75), ("N", 76, 79)),
    *(("O", 80, 82), ("P", 83, 83), ("Q", 84, 85), ("R", 86, 90), ("S", 91, 96), ("T", 97, 97)),
)
_SCOPE = re.compile(r"S1|S2|S3\.(?:1[0-5]|[1-9])")
_YEARS = (1970, 2199)
_NUMBER_LIMIT = Decimal("1e15")
_DECIMALS = 18


def refuse(message: str, remedy: str, **params: Any) -> PydanticCustomError:
    return PydanticCustomError("lujin", "refused", {"message": message, "remedy": remedy, "params": params})


def read_text(value: object) -> str:
    if not isinstance(value, str):
        raise refuse(N_("{value} is not text"), N_("write it in quotes"), value=shown(value))
    text = value.strip()
    if _CONTROL.search(text):
        raise refuse(N_("the text holds a line break or control character"), N_("write it on one line"))
    if len(text) > 500:
        raise refuse(N_("the text has {length} characters"), N_("use 500 or fewer"), length=len(text))
    return text


def read_word(value: object) -> str:
    """Text that must say something."""
    text = read_text(value)
    if not text:
        raise refuse(N_("the text is empty"), N_("fill it in"))
    return text


def read_id(value: object) -> str:
    text = read_text(value)
    if not text:
        raise refuse(N_("the id is empty"), N_("give it a short id, for example E001"))
    bad = _NOT_IN_IDS.search(text)
    if bad or text[0] in "-@#." or len(text) > 64:
        raise refuse(
            N_("{value} cannot be an id"),
            N_("use up to 64 letters, digits, Chinese characters, _ - . # ( ), beginning with a letter or digit"),
            value=text,
        )
    return text


def read_reference(value: object) -> str:
    """An id of another record, or empty."""
    text = read_text(value)
    return read_id(text) if text else ""


def read_unit(value: object) -> str:
    text = read_word(value)
    if text.startswith(("CNY/", "元/")):
        return f"CNY/{unit_name(text.partition('/')[2])}"
    return unit_name(text)


def read_number(value: object) -> Decimal:
    """Exact: TOML floats arrive as Decimal, cells as the shortest decimal that names the stored double."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise refuse(N_("{value} is not a number"), N_("write digits without quotes or unit"), value=shown(value))
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    exponent = number.as_tuple().exponent
    # copy_abs and comparison are exact at any size; abs() would round in a context, or overflow.
    if not isinstance(exponent, int) or number.copy_abs() >= _NUMBER_LIMIT or exponent < -_DECIMALS:
        raise refuse(
            N_("{value} is out of range"),
            N_("write a number below 1e15 with at most 18 decimals"),
            value=shown(value),
        )
    return number


def read_positive(value: object) -> Decimal:
    number = read_number(value)
    if number <= 0:
        raise refuse(N_("{value} is not above zero"), N_("write a number above zero"), value=number)
    return number


def read_not_negative(value: object) -> Decimal:
    number = read_number(value)
    if number < 0:
        raise refuse(N_("{value} is below zero"), N_("write zero or a number above zero"), value=number)
    return number


def read_share(value: object) -> Decimal:
    """A part of a whole, above 0 and up to 1."""
    number = read_positive(value)
    if number > 1:
        raise refuse(N_("{value} is more than the whole"), N_("write a part of 1, like 0.9"), value=number)
    return number


def read_loss(value: object) -> Decimal:
    """A part that is lost, from 0 to less than 1."""
    number = read_not_negative(value)
    if number >= 1:
        raise refuse(N_("{value} leaves nothing over"), N_("write a part of 1, like 0.01"), value=number)
    return number


def read_year(value: object) -> int:
    number = read_integer(value)
    if not _YEARS[0] <= number <= _YEARS[1]:
        raise refuse(N_("{value} is not a year"), N_("write it like 2025"), value=number)
    return number


def read_scope(value: object) -> str:
    text = read_text(value)
    if text and not _SCOPE.fullmatch(text):
        raise refuse(
            N_("{value} is not a scope of the GHG Protocol"),
            N_("write S1, S2, or S3 with its category, like S3.1"),
            value=text,
        )
    return text


def read_method(value: object) -> object:
    """A formula id of joint production; the word that two formulas share is none."""
    if isinstance(value, str) and value.strip().casefold().partition("@")[0] in ("efficiency", "效率法"):
        raise refuse(
            N_(
                "two formulas with opposite results are called {value}: ghgp_efficiency@1 is "
                "α_e = (P/e_P)/(P/e_P + H/e_H), fuel_share@1 is α_e = H/(P + H)"
            ),
            N_("name the one that is meant by its id"),
            value=shown(value),
        )
    return value


def read_shares(value: object) -> dict[str, Decimal]:
    """Carrier → share; that they sum to 1 is checked with the other rules of the row."""
    if not isinstance(value, dict):
        raise refuse(
            N_("{value} does not say who gets which share"),
            N_("write a table of carriers and shares, like {{steam = 0.8, electricity = 0.2}}"),
            value=shown(value),
        )
    return {read_id(key): read_share(number) for key, number in value.items()}


def read_coordinate(value: object) -> float:
    return float(read_number(value))


def read_integer(value: object) -> int:
    number = read_number(value)
    if number != number.to_integral_value():
        raise refuse(N_("{value} is not a whole number"), N_("write a whole number"), value=number)
    if number < 0:
        raise refuse(N_("{value} is below zero"), N_("write zero or a number above zero"), value=number)
    return int(number)


def read_digits(value: object) -> int:
    """Digits before the register rolls over (字轮位数)."""
    number = read_integer(value)
    if not 1 <= number <= 15:
        raise refuse(
            N_("a register of {value} digits does not exist"),
            N_("count the digits before the decimal point on the meter's face, usually 5 to 8"),
            value=number,
        )
    return number


def read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise refuse(N_("{value} is neither true nor false"), N_("write true or false"), value=shown(value))
    return value


def read_interval(value: object) -> int:
    """Expected spacing of readings [s]; 0 for one calendar month.

    >>> read_interval("15min"), read_interval("1 h"), read_interval("1mo")
    (900, 3600, 0)
    """
    if isinstance(value, str):
        text = value.strip()
        if text == "1mo":
            return 0
        match = _INTERVAL.fullmatch(text)
        if match and int(match[1]) * _INTERVAL_S[match[2]] <= 31 * 86_400:
            return int(match[1]) * _INTERVAL_S[match[2]]
    raise refuse(
        N_("{value} is not an interval"),
        N_('write "15min", "1h", "1d" or "1mo" (one calendar month)'),
        value=shown(value),
    )


def read_month(value: object) -> int:
    """
    >>> read_month("2025-06")
    202506
    """
    match = _MONTH.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not _YEARS[0] <= int(match[1]) <= _YEARS[1]:
        raise refuse(N_("{value} is not a month"), N_('write it like "2025-06"'), value=shown(value))
    return int(match[1]) * 100 + int(match[2])


def read_day(value: object) -> date:
    if isinstance(value, datetime) or not isinstance(value, date) or not _YEARS[0] <= value.year <= _YEARS[1]:
        raise refuse(
            N_("{value} is not a date"), N_("write it like 2025-06-01, without quotes"), value=shown(value)
        )
    return value


def read_time(value: object, info: ValidationInfo) -> datetime:
    """An instant in UTC. A bare date is the first instant of that local day, a local time is park time."""
    zone: ZoneInfo = info.context["zone"] if info.context else ZoneInfo("UTC")
    if not isinstance(value, date) or not _YEARS[0] <= value.year <= _YEARS[1]:
        raise refuse(
            N_("{value} is not a date or time"),
            N_("write 2025-06-01 or 2025-06-01T08:00:00+08:00, without quotes"),
            value=shown(value),
        )
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), zone).astimezone(UTC)
    if value.tzinfo is not None:
        return value.astimezone(UTC)
    first, second = (value.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != second:
        raise refuse(
            N_("{value} happens twice or never in {zone}, where the clock changes"),
            N_("write the offset too, like {value}+08:00"),
            value=value.isoformat(),
            zone=zone.key,
        )
    return first


def read_timezone(value: object) -> str:
    name = read_text(value)
    # These three exist on some machines only, or name another zone on each.
    if name in ("localtime", "posixrules", "Factory") or not _is_zone(name):
        guess = _nearest_zone(name)
        raise refuse(
            N_("time zone {value} is unknown"),
            N_('use an IANA name; did you mean "{guess}"?') if guess else N_('use an IANA name, "Asia/Shanghai"'),
            value=name,
            guess=guess,
        )
    return name


def read_optional_timezone(value: object) -> str:
    return read_timezone(value) if read_text(value) else ""


def read_sector(value: object) -> str:
    """Class of GB/T 4754-2017 (国民经济行业分类): section letter and 2 to 4 digits."""
    text = read_text(value)
    if not text:
        return ""
    match = _SECTOR.fullmatch(text.upper())
    section = "" if match is None else _section(int(match[2]))
    if match is None or not section:
        raise refuse(
            N_("{value} is not a sector of GB/T 4754"),
            N_("write the section letter and 2 to 4 digits, like C2231"),
            value=text,
        )
    if match[1] != section:
        raise refuse(
            N_("division {division} of GB/T 4754 belongs to section {section}, not {letter}"),
            N_("did you mean {guess}?"),
            division=match[2],
            section=section,
            letter=match[1],
            guess=section + text[1:],
        )
    return match[0]


def read_list(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise refuse(N_("{value} is not a list"), N_('write it in brackets, like ["name"]'), value=shown(value))
    return tuple(text for text in (read_text(v) for v in value) if text)


def read_terms(value: object) -> dict[str, Decimal]:
    if not isinstance(value, dict):
        raise refuse(
            N_("{value} does not say which meters add up"),
            N_("write a table of meter ids and coefficients, like {{M1 = 1, M2 = -1}}"),
            value=shown(value),
        )
    terms = {read_id(key): read_number(number) for key, number in value.items()}
    zero = [key for key, number in terms.items() if number == 0]
    if zero:
        raise refuse(N_("the coefficient of {value} is 0"), N_("remove it, or write 1 or -1"), value=zero[0])
    return terms


def read_packs(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise refuse(
            N_("{value} does not say which method pack each book uses"),
            N_('write [park.packs] and one line per book, like location = "name@1"'),
            value=shown(value),
        )
    packs = {}
    for book, pack in value.items():
        if book not in BOOKS:
            guess = closest(book, BOOKS)
            raise refuse(
                N_("book {value} is unknown"),
                N_("did you mean {guess}?") if guess else N_("use one of: {known}"),
                value=shown(book),
                guess=guess,
                known=", ".join(BOOKS),
            )
        name = read_text(pack)
        if not re.fullmatch(r"[\w.-]+@[\w.-]+", name):
            raise refuse(N_("{value} is not a method pack"), N_("write name@version"), value=name)
        packs[book] = name
    return packs


BOOKS = ("physical", "location", "market", "regulatory", "embodied")

Text = Annotated[str, PlainValidator(read_text)]
Word = Annotated[str, PlainValidator(read_word)]
Id = Annotated[str, PlainValidator(read_id)]
Reference = Annotated[str, PlainValidator(read_reference)]
Unit = Annotated[str, PlainValidator(read_unit)]
Number = Annotated[Decimal, PlainValidator(read_number)]
Positive = Annotated[Decimal, PlainValidator(read_positive)]
NotNegative = Annotated[Decimal, PlainValidator(read_not_negative)]
Share = Annotated[Decimal, PlainValidator(read_share)]
LossShare = Annotated[Decimal, PlainValidator(read_loss)]
Shares = Annotated[dict[str, Decimal], PlainValidator(read_shares)]
Method = Annotated[JointMethod, BeforeValidator(read_method)]
Scope = Annotated[str, PlainValidator(read_scope)]
Year = Annotated[int, PlainValidator(read_year)]
Coordinate = Annotated[float, PlainValidator(read_coordinate)]
Integer = Annotated[int, PlainValidator(read_integer)]
Digits = Annotated[int, PlainValidator(read_digits)]
Flag = Annotated[bool, PlainValidator(read_flag)]
Interval = Annotated[int, PlainValidator(read_interval)]
Month = Annotated[int, PlainValidator(read_month)]
Day = Annotated[date, PlainValidator(read_day)]
Time = Annotated[datetime, PlainValidator(read_time)]
Timezone = Annotated[str, PlainValidator(read_timezone)]
OptionalTimezone = Annotated[str, PlainValidator(read_optional_timezone)]
Sector = Annotated[str, PlainValidator(read_sector)]
Names = Annotated[tuple[str, ...], PlainValidator(read_list)]
Terms = Annotated[dict[str, Decimal], PlainValidator(read_terms)]
Packs = Annotated[dict[str, str], PlainValidator(read_packs)]


def shown(value: object) -> str:
    """A raw value as a message quotes it, cut short."""
    text = value if isinstance(value, str) else str(value)
    return f"{text[:40]}…" if len(text) > 40 else text or '""'


def write_interval(seconds: int) -> str:
    """
    >>> write_interval(900), write_interval(7200), write_interval(86_400), write_interval(0)
    ('15min', '2h', '1d', '1mo')
    """
    if seconds == 0:
        return "1mo"
    unit = next(name for name in ("d", "h", "min", "s") if seconds % _INTERVAL_S[name] == 0)
    return f"{seconds // _INTERVAL_S[unit]}{unit}"


def write_month(month: int) -> str:
    return f"{month // 100:04d}-{month % 100:02d}"


def write_number(number: Decimal) -> str:
    """Plain digits, equal for equal numbers.

    >>> write_number(Decimal("1.50")), write_number(Decimal("1E+3")), write_number(Decimal("-0"))
    ('1.5', '1000', '0')
    """
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def write_time(instant: datetime, zone: ZoneInfo) -> date | datetime:
    """A bare local date where it says the same, else the local time with its offset."""
    local = instant.astimezone(zone)
    if local.time() == time() and datetime.combine(local.date(), time(), zone).astimezone(UTC) == instant:
        return local.date()
    whole_minutes = (local.utcoffset() or timedelta()) % timedelta(minutes=1) == timedelta()
    return local if whole_minutes else instant.astimezone(UTC)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return False
    return True


@lru_cache(maxsize=64)
def _nearest_zone(name: str) -> str:
    if "beijing" in name.casefold():  # the habit, though the zone is named after Shanghai
        return "Asia/Shanghai"
    return closest(name, sorted(available_timezones()))


def _section(division: int) -> str:
    return next((letter for letter, first, last in _SECTIONS if first <= division <= last), "")
