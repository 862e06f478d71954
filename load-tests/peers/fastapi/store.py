"""Conversations and messages in Postgres, one round trip and one commit an operation."""

import json
from uuid import UUID

import asyncpg

# Workers start at the same time.
SCHEMA_LOCK = 4_711

SCHEMA = """
create table if not exists conversations (
    id bigint generated always as identity primary key,
    user_id text not null,
    title text not null,
    created_at timestamptz not null default now()
);
create table if not exists messages (
    id bigint generated always as identity primary key,
    conversation_id bigint not null references conversations (id),
    role text not null,
    content text not null,
    created_at timestamptz not null default now()
);
create index if not exists messages_of_conversation on messages (conversation_id, id);
create table if not exists streams (
    correlation_id uuid primary key default gen_random_uuid(),
    conversation_id bigint not null references conversations (id),
    prompt text not null
);
"""

ASK = """
with conversation as (
    insert into conversations (user_id, title) values ($1, left($2, 80)) returning id
)
insert into messages (conversation_id, role, content) select id, 'user', $2 from conversation returning conversation_id
"""

ASK_FOR_STREAM = """
with conversation as (
    insert into conversations (user_id, title) values ($1, left($2, 80)) returning id
), message as (
    insert into messages (conversation_id, role, content) select id, 'user', $2 from conversation
)
insert into streams (conversation_id, prompt) select id, $3 from conversation returning correlation_id
"""

# A stream is generated once, whichever worker is asked for it.
TAKE_STREAM = "delete from streams where correlation_id = $1 returning conversation_id, prompt"

ANSWER = "insert into messages (conversation_id, role, content) values ($1, 'assistant', $2)"

CREATE = "insert into conversations (user_id, title) values ($1, $2) returning id, title, created_at"

HISTORY = """
select m.id, m.role, m.content, m.created_at as timestamp
from conversations c left join messages m on m.conversation_id = c.id
where c.id = $1 order by m.id
"""


class Store:
    def __init__(self, pool: asyncpg.Pool):
        self._pool = pool

    @classmethod
    async def open(cls, url: str) -> "Store":
        pool = await asyncpg.create_pool(url, min_size=10, max_size=10)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", SCHEMA_LOCK)
            await connection.execute(SCHEMA)
        return cls(pool)

    async def close(self) -> None:
        await self._pool.close()

    async def ask(self, user_id: str, text: str) -> int:
        """Stores a new conversation with its first message; returns the conversation's id."""
        return await self._pool.fetchval(ASK, user_id, text)

    async def ask_for_stream(self, user_id: str, text: str, prompt: list[dict]) -> UUID:
        return await self._pool.fetchval(ASK_FOR_STREAM, user_id, text, json.dumps(prompt))

    async def take_stream(self, correlation_id: UUID) -> tuple[int, list[dict]] | None:
        row = await self._pool.fetchrow(TAKE_STREAM, correlation_id)
        return None if row is None else (row["conversation_id"], json.loads(row["prompt"]))

    async def answer(self, conversation_id: int, text: str) -> None:
        await self._pool.execute(ANSWER, conversation_id, text)

    async def create(self, user_id: str, title: str) -> dict:
        row = await self._pool.fetchrow(CREATE, user_id, title)
        return {"conversation_id": row["id"], "title": row["title"], "created_at": row["created_at"]}

    async def history(self, conversation_id: int) -> list[dict] | None:
        """None where there is no such conversation."""
        rows = await self._pool.fetch(HISTORY, conversation_id)
        return [dict(row) for row in rows if row["id"] is not None] if rows else None
