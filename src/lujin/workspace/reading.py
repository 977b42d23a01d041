"""Questions to a park that change nothing: statements, explanations, status, verification."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lujin.accounts.facts import completeness_as_of
from lujin.accounts.ledger import posted_through
from lujin.readings.sources import sources, touched_since

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace
