"""The gate between SuperNodes and the SuperLink: it lets the Fleet API through, and nothing else.

On one port Flower serves what SuperNodes need, where a request must be signed with a registered key, and what whoever
operates the federation needs, where nobody is asked who they are: to register nodes, to submit runs, which is to run
code of one's own everywhere. So SuperNodes reach this gate only. Both sides of it are encrypted.

    KEYS=deploy/keys SUPERLINK=127.0.0.1:9092 PORT=8000 python docker/fleet_api_filter.py
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

SUPERLINK = os.environ.get("SUPERLINK", "superlink:8000")
KEYS = Path(os.environ.get("KEYS", "/gate"))
"""The folder with the authority's certificate, and the SuperLink's own with its key, which the gate uses too."""
MOST_BYTES = int(os.environ.get("MOST_BYTES", 256 << 20))
"""A request may have so many."""
_OWN = {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "upgrade"}
"""Headers that belong to one side's connection."""


async def forward(request: Request) -> Response:
    """Ask the SuperLink what a SuperNode asks, and give back what it answers."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            return PlainTextResponse(f"more than {MOST_BYTES} bytes", status_code=413)
    headers = {name: value for name, value in request.headers.items() if name not in _OWN}
    client: httpx.AsyncClient = request.app.state.client
    asked = client.build_request("POST", request.url.path, content=bytes(body), headers=headers)
    try:
        answer = await client.send(asked, stream=True)
    except httpx.TransportError as error:
        return PlainTextResponse(f"the SuperLink cannot be reached: {type(error).__name__}", status_code=503)
    kept = {name: value for name, value in answer.headers.items() if name not in _OWN}
    return StreamingResponse(_pieces(answer), answer.status_code, kept)


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()


@asynccontextmanager
async def connected(app: Starlette) -> AsyncIterator[None]:
    """Keep connections to the SuperLink open, whose certificate must be our authority's."""
    trusted = ssl.create_default_context(cafile=str(KEYS / "ca.crt"))
    async with httpx.AsyncClient(base_url=f"https://{SUPERLINK}", verify=trusted, timeout=60.0) as client:
        app.state.client = client
        yield


app = Starlette(routes=[Route("/v1/fleet/{call:path}", forward, methods=["POST"])], lifespan=connected)

if __name__ == "__main__":
    uvicorn.run(
        app,
        host=os.environ.get("HOST", "0.0.0.0"),
        port=int(os.environ.get("PORT", "8000")),
        ssl_certfile=str(KEYS / "server.pem"),
        ssl_keyfile=str(KEYS / "server.key"),
        log_level="warning",
    )
