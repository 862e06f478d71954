"""
A chat server of FastAPI: a question is asked of the engine, and each of its tokens is a Server-Sent Event. Keeps nothing.

ENGINE_URL, ENGINE_CLIENT (httpx or aiohttp).
"""

import importlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

engine = None


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    global engine
    engine = importlib.import_module(f"engine_{os.environ['ENGINE_CLIENT']}").Engine(os.environ["ENGINE_URL"], "simulated", 1024)
    yield
    await engine.close()


app = FastAPI(lifespan=lifespan)


class Question(BaseModel):
    message: str


@app.post("/chat")
async def chat(question: Question) -> StreamingResponse:
    return StreamingResponse(reply(question.message), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def reply(message: str) -> AsyncIterator[str]:
    async for token in engine.stream([{"role": "user", "content": message}]):
        yield f"data: {json.dumps({'token': token})}\n\n"
    yield "data: [DONE]\n\n"
