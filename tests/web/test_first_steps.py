"""A new park leads to its first statement, step by step."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from fastapi.testclient import TestClient

import lujin
from lujin.access.viewer import Role, Viewer
from lujin.web.app import create_app
from lujin.web.settings import Settings

OWN = Path(__file__).parents[2] / "examples" / "own-park"


def test_an_empty_park_opens_with_its_first_steps_and_each_step_done_shows(tmp_path: Path) -> None:
    park = Path(shutil.copytree(OWN, tmp_path / "park"))
    app = create_app(Settings(park, environment={}))
    app.state.viewer_of = lambda _: Viewer(1, "Lin", Role.OPERATOR)
    with TestClient(app, follow_redirects=False) as browser:

        def following() -> tuple[str | None, str]:
            answer = browser.get("/first-steps.json").json()
            return answer["next"], browser.get("/").headers["location"]

        assert following() == ("import", "/first-steps")
        workspace = lujin.open(park, environment={})
        workspace.import_files([park / "exports"])
        assert following() == ("post", "/first-steps")
        workspace.run()
        assert following() == (None, "/overview")
        page = browser.get("/first-steps", headers={"accept": "text/html", "accept-language": "zh"}).text
        assert "第一份对账单已经生成" in page
        workspace.engine.dispose()


def test_only_the_park_office_and_verifiers_see_them(as_viewer: Callable[..., TestClient]) -> None:
    codes = {role: as_viewer(role, "E006").get("/first-steps.json").status_code for role in Role}
    assert {role for role, code in codes.items() if code == 200} == {Role.OPERATOR, Role.VERIFIER}
