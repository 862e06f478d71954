"""
The design that ChatterBot's specification draws, as one would write it: FastAPI, Server-Sent Events, Postgres, vLLM over HTTP.

DATABASE_URL, ENGINE_URL, ENGINE_CLIENT (httpx or aiohttp).
"""

import asyncio
import importlib
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from store import Store

MODEL = "simulated"
MAX_TOKENS = 1024

store: Store
engine = None


async def end_with(parent: int) -> None:
    """uvicorn's workers outlive a supervisor that is killed."""
    while os.getppid() == parent:
        await asyncio.sleep(1)
    os._exit(1)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    global store, engine
    store = await Store.open(os.environ["DATABASE_URL"])
    engine = importlib.import_module(f"engine_{os.environ['ENGINE_CLIENT']}").Engine(os.environ["ENGINE_URL"], MODEL, MAX_TOKENS)
    watch = asyncio.create_task(end_with(os.getppid()))
    yield
    watch.cancel()
    await engine.close()
    await store.close()


app = FastAPI(lifespan=lifespan)


class ChatRequest(BaseModel):
    message: str
    user_id: str
    context: list[dict] = []
    stream: bool = False

    def prompt(self) -> list[dict]:
        return [*self.context, {"role": "user", "content": self.message}]


class ChatResponse(BaseModel):
    response: str
    conversation_id: int
    processing_time: float


class StreamResponse(BaseModel):
    status: str
    correlation_id: UUID
    stream_endpoint: str


class ConversationRequest(BaseModel):
    user_id: str
    title: str


class Conversation(BaseModel):
    conversation_id: int
    title: str
    created_at: datetime


class Message(BaseModel):
    id: int
    role: str
    content: str
    timestamp: datetime


class History(BaseModel):
    conversation_id: int
    messages: list[Message]


@app.post("/chat")
async def chat(request: ChatRequest) -> ChatResponse:
    began = time.monotonic()
    conversation_id = await store.ask(request.user_id, request.message)
    response = await engine.complete(request.prompt())
    await store.answer(conversation_id, response)
    return ChatResponse(response=response, conversation_id=conversation_id, processing_time=time.monotonic() - began)


@app.post("/stream-chat")
async def stream_chat(request: ChatRequest) -> StreamResponse:
    correlation_id = await store.ask_for_stream(request.user_id, request.message, request.prompt())
    return StreamResponse(status="streaming", correlation_id=correlation_id, stream_endpoint=f"/stream/{correlation_id}")


@app.get("/stream/{correlation_id}")
async def stream(correlation_id: UUID) -> StreamingResponse:
    taken = await store.take_stream(correlation_id)
    if taken is None:
        raise HTTPException(404)
    return StreamingResponse(reply(*taken), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def reply(conversation_id: int, prompt: list[dict]) -> AsyncIterator[str]:
    tokens = []
    async for token in engine.stream(prompt):
        tokens.append(token)
        yield f"data: {json.dumps({'token': token, 'done': False})}\n\n"
    await store.answer(conversation_id, "".join(tokens))
    yield "data: [DONE]\n\n"


@app.post("/conversations")
async def create_conversation(request: ConversationRequest) -> Conversation:
    return Conversation(**await store.create(request.user_id, request.title))


@app.get("/conversations/{conversation_id}/messages")
async def history(conversation_id: int) -> History:
    messages = await store.history(conversation_id)
    if messages is None:
        raise HTTPException(404)
    return History(conversation_id=conversation_id, messages=messages)
