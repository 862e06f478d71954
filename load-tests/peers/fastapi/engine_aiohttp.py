"""vLLM by aiohttp."""

import json
from collections.abc import AsyncIterator

import aiohttp


class Engine:
    def __init__(self, url: str, model: str, max_tokens: int):
        # Its limits of connections and of time are for other work than this.
        self._session = aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=None), connector=aiohttp.TCPConnector(limit=0), raise_for_status=True)
        self._common = {"model": model, "max_tokens": max_tokens}

    async def complete(self, messages: list[dict]) -> str:
        async with self._session.post("/v1/chat/completions", json={**self._common, "messages": messages}) as response:
            return (await response.json())["choices"][0]["message"]["content"]

    async def stream(self, messages: list[dict]) -> AsyncIterator[str]:
        body = {**self._common, "messages": messages, "stream": True}
        async with self._session.post("/v1/chat/completions", json=body) as response:
            async for line in response.content:
                if not line.startswith(b"data: "):
                    continue
                if line == b"data: [DONE]\n":
                    return
                token = json.loads(line[6:])["choices"][0]["delta"].get("content")
                if token:
                    yield token
        raise RuntimeError("the engine's stream ended before its end")

    async def close(self) -> None:
        await self._session.close()
