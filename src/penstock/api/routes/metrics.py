"""`GET /metrics`."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from penstock.api.routes.parts import MetricsDep

router = APIRouter(tags=["service"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "content": {"text/plain": {"schema": {"type": "string"}}},
            "description": "Prometheus' text format",
        }
    },
)
async def get_metrics(metrics: MetricsDep) -> Response:
    """The service in numbers, for Prometheus."""
    return Response(await metrics.scrape(), media_type=CONTENT_TYPE_LATEST)
