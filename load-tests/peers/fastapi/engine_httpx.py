"""vLLM by httpx, which OpenAI's own client is built on."""

import json
from collections.abc import AsyncIterator

import httpx


class Engine:
    def __init__(self, url: str, model: str, max_tokens: int):
        # Its limits of connections and of time are for other work than this.
        self._client = httpx.AsyncClient(base_url=url, timeout=None, limits=httpx.Limits(max_connections=None, max_keepalive_connections=None))
        self._common = {"model": model, "max_tokens": max_tokens}

    async def complete(self, messages: list[dict]) -> str:
        response = await self._client.post("/v1/chat/completions", json={**self._common, "messages": messages})
        response.raise_for_status()
        return response.json()["choices"][0]["message"]["content"]

    async def stream(self, messages: list[dict]) -> AsyncIterator[str]:
        body = {**self._common, "messages": messages, "stream": True}
        async with self._client.stream("POST", "/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if not line.startswith("data: "):
                    continue
                if line == "data: [DONE]":
                    return
                token = json.loads(line[6:])["choices"][0]["delta"].get("content")
                if token:
                    yield token
        raise RuntimeError("the engine's stream ended before its end")

    async def close(self) -> None:
        await self._client.aclose()
