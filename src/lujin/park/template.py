"""The commented park file that ``lujin init`` writes."""

from __future__ import annotations

from importlib import resources

TEMPLATE: str = (resources.files("lujin.park") / "template.toml").read_text(encoding="utf-8")
