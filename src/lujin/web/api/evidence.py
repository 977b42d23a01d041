"""Certificates and the signed head of the log."""

from __future__ import annotations

from typing import Literal

from fastapi import Depends, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from lujin.access.viewer import Right
from lujin.errors import ConflictError
from lujin.web.api.common import (
    MONTH_PATTERN,
    NOT_MODIFIED,
    SIGNED,
    EnterprisePath,
    FreshWindow,
    month_of,
    needs,
    problems,
    refused_as,
    resource,
    signed,
)
from lujin.web.models.months import HeadAnswer, Issued
from lujin.web.requests import WindowOf

router = resource("evidence")


Book = Literal["location", "market", "regulatory", "embodied"]


def may_certify(window: WindowOf, enterprise: EnterprisePath) -> None:
    """Before the body is looked at."""
    window.of(enterprise, Right.CLOSE)


class CertificateAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    first: str = Field(pattern=MONTH_PATTERN, examples=["2025-01"])
    last: str | None = Field(None, pattern=MONTH_PATTERN, description="the same as `first` unless given")
    books: list[Book] | None = Field(None, min_length=1, max_length=4, description="all carbon books unless given")


@router.post(
    "/enterprises/{enterprise}/certificates",
    status_code=201,
    response_class=JSONResponse,
    responses={**SIGNED, **problems(409)},
    dependencies=[Depends(may_certify)],
)
def issue_certificate(window: WindowOf, enterprise: EnterprisePath, asked: CertificateAsked) -> Response:
    """Signs what the closed months of an account say, with the proof of every line: a verifiable credential that
    anyone can check offline. Keep it as it is.
    """
    own = window.of(enterprise)
    issue = window.park(Right.CLOSE).certificate
    last = None if asked.last is None else month_of(asked.last)
    with refused_as(ConflictError):
        found = issue(own.id, month_of(asked.first), last, books=asked.books)
    window.data().record("certificate.issue", found["id"], enterprise=own.id)
    return signed(found, 201)


@router.get("/enterprises/{enterprise}/certificates", responses=NOT_MODIFIED)
def list_certificates(window: FreshWindow, enterprise: EnterprisePath) -> list[Issued]:
    """Certificates of the enterprise, the newest first, and which were superseded."""
    return [Issued.of(found) for found in window.of(enterprise).certificates()]


@router.get("/enterprises/{enterprise}/certificates/{id}", response_class=JSONResponse, responses=SIGNED)
def show_certificate(window: WindowOf, enterprise: EnterprisePath, id: str) -> Response:
    """The signed document, as it was issued."""
    return Response(window.of(enterprise).certificate(id), media_type="application/json")


@router.post("/heads", status_code=201, dependencies=[needs(Right.CLOSE)])
def sign_head(window: WindowOf) -> HeadAnswer:
    """The signed head of the log as it is now: keep it, and ask later for the proof that nothing was changed."""
    return HeadAnswer.of(window.park(Right.CLOSE).head())
