"""A park on disk: the directory with ``park.toml`` and ``days.csv``, or a workbook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lujin.errors import N_, ParkError, Problem
from lujin.park import toml, workbook
from lujin.park.check import structure
from lujin.park.days import read_days
from lujin.park.model import Park
from lujin.park.schema import Draft, Row

PARK_FILE = "park.toml"
DAYS_FILE = "days.csv"
_WORKBOOKS = frozenset({".xlsx", ".xlsm"})
# A park of 100,000 meters has some 20 MB; more is another kind of file.
_LARGEST = 200_000_000


def load(path: Path) -> Park:
    """The park in a directory, ``park.toml`` or workbook. ParkError lists all that is wrong."""
    return _accepted(examine(path))


def check(path: Path) -> list[Problem]:
    """Every error and warning of a park, in order of place; no errors means ``load`` gives a Park."""
    return list(examine(path).problems)


def read_workbook(path: Path) -> Park:
    """The park that a workbook describes. ParkError lists all that is wrong, with sheet, row and column."""
    return _accepted(_checked(workbook.parse(path)))


def examine(path: Path) -> Draft:
    """What could be read, with every problem: for callers that show warnings and go on."""
    path = Path(path)
    if path.suffix.lower() in _WORKBOOKS:
        return _checked(workbook.parse(path))
    file = path / PARK_FILE if path.is_dir() else path
    text, problems = _text(file)
    if text is None:
        return Draft(toml.parse("", file.name).park, problems=tuple(problems))
    days: Sequence[Row] = ()
    beside = file.with_name(DAYS_FILE)
    if beside.exists():
        days_text, found = _text(beside)
        problems.extend(found)
        if days_text is not None:
            days, found = read_days(days_text, beside.name)
            problems.extend(found)
    return _checked(toml.parse(text, file.name, days, problems))


def _accepted(draft: Draft) -> Park:
    if any(problem.severity == "error" for problem in draft.problems):
        raise ParkError(*draft.problems)
    return draft.park


def _checked(draft: Draft) -> Draft:
    return Draft(draft.park, draft.rows, draft.broken, tuple(structure(draft)))


def _text(file: Path) -> tuple[str | None, list[Problem]]:
    try:
        if file.stat().st_size > _LARGEST:
            message, remedy = N_("the file has {size} MB"), N_("a park file has a few MB: is this the right file?")
            return None, [Problem(message, {"size": file.stat().st_size // 1_000_000}, remedy, file.name)]
        return file.read_bytes().decode("utf-8"), []
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message, remedy = N_("the file is not UTF-8 text"), N_("save it as UTF-8, not GBK")
        return None, [Problem(message, {}, remedy, file.name, line)]
    except FileNotFoundError:
        message, remedy = (
            N_("{path} is not there"),
            N_("write one with `lujin init`, or name the park's directory"),
        )
        return None, [Problem(message, {"path": file}, remedy, file.name)]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        message, remedy = N_("{path} cannot be read: {reason}"), N_("check the name and its permissions")
        return None, [Problem(message, {"path": file, "reason": reason}, remedy, file.name)]
