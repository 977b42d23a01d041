"""What anybody may know of a park without signing in: its names, the name it signs with, its status list."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from lujin.errors import LujinError
from lujin.publish import canonical_file, public_did, signing_key
from lujin.web.cache import Cache
from lujin.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PublicPark:
    """``did``: empty while the park has signed nothing."""

    _workspace: Workspace
    _cache: Cache

    @property
    def did(self) -> str:
        try:
            return public_did(signing_key(self._workspace.directory / "keys", create=False))
        except LujinError:
            return ""

    def status_list(self) -> bytes | None:
        """Which certificates were superseded, signed; None while the park has signed nothing."""
        if not self.did:
            return None
        key = ("status list", self._workspace.stamp(), self._workspace.clock().date())
        return self._cache(key, lambda: canonical_file(self._workspace.status_list()))


def public_park(request: Request) -> PublicPark:
    return PublicPark(request.app.state.open_park.current(), request.app.state.cache)
