"""What the server is told when it starts. Read once, at the edge, and passed on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lujin.errors import N_, InputError, Problem
from lujin.web.doors import Doors

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """``public_url``: how people reach the server, if through a proxy; https makes cookies secure.
    ``metrics_token``: by which another machine may read /metrics.

    ``environment``: where the park's data lie (LUJIN_DATABASE, LUJIN_READINGS).
    """

    directory: Path
    public_url: str = ""
    upload_limit: int = 512 * MIB
    metrics_token: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    doors: Doors = field(default_factory=Doors)

    @property
    def secure(self) -> bool:
        return self.public_url.startswith("https://")

    @classmethod
    def of_environment(cls, directory: Path, environment: Mapping[str, str] = os.environ) -> Settings:
        """LUJIN_WEB_PUBLIC_URL, LUJIN_WEB_UPLOAD_LIMIT_MB, LUJIN_WEB_METRICS_TOKEN."""
        return cls(
            directory,
            environment.get("LUJIN_WEB_PUBLIC_URL", "").rstrip("/"),
            _whole(environment, "LUJIN_WEB_UPLOAD_LIMIT_MB", 512) * MIB,
            environment.get("LUJIN_WEB_METRICS_TOKEN", ""),
            environment,
            Doors.of_environment(environment),
        )


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    said = environment.get(name, "")
    if not said:
        return default
    if said.isascii() and said.isdecimal() and int(said):
        return int(said)
    raise InputError(
        Problem(N_("{text} is not a whole number above 0"), {"text": said}, N_("write digits only"), field=name)
    )
