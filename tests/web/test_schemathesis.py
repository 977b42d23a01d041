"""schemathesis against the OpenAPI document: what it makes up finds neither a fault nor an answer not declared."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from lujin.access.viewer import Role
from lujin.web.app import create_app
from lujin.web.doors import Doors
from lujin.web.settings import Settings

from ..serving import Served

# What a schema cannot say: that a text is CSV or an Arrow stream, and that of two days the first is no later.
JUDGED = frozenset(
    {
        "POST /api/v1/readings",
        "GET /api/v1/series",
        "GET /api/v1/enterprises/{enterprise}/series",
        "GET /api/v1/flow-map",
        "POST /api/v1/alarms/{number}/silence",
        "POST /api/v1/verify",
    }
)

# ``word=false`` is a list of one word on the wire, whatever was meant.
REPEATED = frozenset(f"GET /api/v1/{path}" for path in ("reference", "series", "readings")) | {
    "GET /api/v1/enterprises/{enterprise}/series"
}


def excluded(operation: str) -> list[Any]:
    return [positive_data_acceptance] * (operation in JUDGED) + [negative_data_rejection] * (operation in REPEATED)


def bearer(token: str) -> type:
    class Bearer:
        def get(self, case: schemathesis.Case, context: object) -> str:  # noqa: ARG002 (its protocol)
            return token

        def set(self, case: schemathesis.Case, data: str, context: object) -> None:  # noqa: ARG002
            case.headers["Authorization"] = f"Bearer {data}"

    return Bearer


@pytest.fixture(scope="module")
def document(
    demo_park: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[schemathesis.schemas.BaseSchema]:
    copy = Path(shutil.copytree(demo_park, tmp_path_factory.mktemp("made-up") / "park"))
    app = create_app(Settings(copy, environment={}, doors=Doors(requests_per_minute=0)))
    token = Served("", app).token(Role.OPERATOR)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)
    schema.auth()(bearer(token))
    yield schema
    app.state.open_park.workspace.engine.dispose()


EXAMPLES = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_nothing_that_is_made_up_finds_a_fault(
    document: schemathesis.schemas.BaseSchema, mode: GenerationMode
) -> None:
    found: list[str] = []
    for result in document.get_all_operations():
        operation = result.ok()
        if mode is GenerationMode.NEGATIVE and not _takes_anything(operation):
            continue
        try:
            _called(operation, mode)
        except (FailureGroup, Failure) as failure:
            found.append(f"{operation.label}: {failure}")
    assert not found, "\n\n".join(found)


def _called(operation: schemathesis.schemas.APIOperation, mode: GenerationMode) -> None:
    @EXAMPLES
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: schemathesis.Case) -> None:
        case.call_and_validate(excluded_checks=excluded(operation.label))

    one()


def _takes_anything(operation: schemathesis.schemas.APIOperation) -> bool:
    """Without parameter or body there is nothing to get wrong."""
    return bool(list(operation.iter_parameters()) or list(operation.body))
