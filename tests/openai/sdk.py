"""What users of OpenAI's Python SDK do, unchanged. Prints what came of it as JSON, one line a case."""
import json
import sys

import openai
from openai import OpenAI

client = OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
MODEL = "simulated"


def tell(case, **what):
    print(json.dumps({"case": case, **what}), flush=True)


def question(text):
    return [{"role": "user", "content": text}]


def models():
    tell("models", ids=[model.id for model in client.models.list()], one=client.models.retrieve(MODEL).id)


def chat():
    reply = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi"},
            {"role": "user", "content": [{"type": "text", "text": "whole "}, {"type": "text", "text": "[[tokens=12]]"}]},
        ],
        temperature=0.5, top_p=0.9, seed=-7, presence_penalty=0.1, frequency_penalty=0.1, max_completion_tokens=100, user="someone",
    )
    tell("chat", **reply.model_dump(include={"id", "object", "model", "usage"}), text=reply.choices[0].message.content, role=reply.choices[0].message.role, finish=reply.choices[0].finish_reason, request=reply._request_id)


def stream():
    chunks = list(client.chat.completions.create(model=MODEL, messages=question("streamed [[tokens=40]]"), stream=True, stream_options={"include_usage": True}))
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    tell(
        "stream", text="".join(texts), first=chunks[0].choices[0].delta.role, finish=[chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1],
        ids=len({chunk.id for chunk in chunks}), models=sorted({chunk.model for chunk in chunks}), usage=chunks[-1].usage.model_dump(include={"prompt_tokens", "completion_tokens", "total_tokens"}), last=chunks[-1].choices,
    )


def stream_helper():
    with client.chat.completions.stream(model=MODEL, messages=question("helped [[tokens=30]]")) as events:
        seen = [event.type for event in events]
        final = events.get_final_completion()
    tell("stream_helper", text=final.choices[0].message.content, finish=final.choices[0].finish_reason, done=seen.count("content.done"), deltas=seen.count("content.delta") > 0)


def stop():
    whole = client.chat.completions.create(model=MODEL, messages=question("stopped [[tokens=40]]")).choices[0].message.content
    mark = whole.split(" ")[10]
    reply = client.chat.completions.create(model=MODEL, messages=question("stopped [[tokens=40]]"), stop=[mark])
    short = client.chat.completions.create(model=MODEL, messages=question("stopped [[tokens=40]]"), max_tokens=5)
    tell("stop", whole=whole, mark=mark, text=reply.choices[0].message.content, finish=reply.choices[0].finish_reason, short=short.choices[0].message.content, length=short.choices[0].finish_reason)


def completions():
    reply = client.completions.create(model=MODEL, prompt="Once upon a time [[tokens=20]]", max_tokens=100)
    chunks = list(client.completions.create(model=MODEL, prompt=["Once upon a time [[tokens=20]]"], max_tokens=100, stream=True))
    tell("completions", object=reply.object, text=reply.choices[0].text, finish=reply.choices[0].finish_reason, usage=reply.usage.completion_tokens, streamed="".join(chunk.choices[0].text for chunk in chunks), end=chunks[-1].choices[0].finish_reason)


def refusal(call):
    try:
        call()
    except openai.APIStatusError as error:
        return {"class": type(error).__name__, "status": error.status_code, "code": error.code, "param": error.param, "type": error.type}
    return None


def errors():
    def ask(**fields):
        return lambda: client.chat.completions.create(**{"model": MODEL, "messages": question("x"), **fields})

    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    tell(
        "errors",
        model=refusal(ask(model="gpt-nope")), n=refusal(ask(n=2)), logprobs=refusal(ask(logprobs=True)), format=refusal(ask(response_format={"type": "json_object"})),
        choice=refusal(ask(tool_choice="required")), temperature=refusal(ask(temperature=3)), image=refusal(ask(messages=image)), last=refusal(ask(messages=[{"role": "assistant", "content": "x"}])),
        long=refusal(ask(messages=question("x" * 40000))), window=refusal(ask(messages=question("abcdef " * 4600))), suffix=refusal(lambda: client.completions.create(model=MODEL, prompt="x", suffix="y")),
        retrieve=refusal(lambda: client.models.retrieve("nope")), embeddings=refusal(lambda: client.embeddings.create(model=MODEL, input="x")),
        conversation=refusal(ask(store=True, metadata={"conversation_id": "1024"})),
    )


TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "The weather now", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]


def tools():
    messages = [{"role": "system", "content": "Be brief."}, *question("How is the weather in Paris and Rome?")]
    reply = client.chat.completions.create(model="tools", messages=messages, tools=TOOLS)
    calls = [call.model_dump() for call in reply.choices[0].message.tool_calls]
    chunks = [chunk.choices[0] for chunk in client.chat.completions.create(model="tools", messages=messages, tools=TOOLS, tool_choice="auto", stream=True)]
    streamed = [{"name": call.function.name, "arguments": call.function.arguments, "index": call.index} for choice in chunks for call in choice.delta.tool_calls or []]
    with client.chat.completions.stream(model="tools", messages=messages, tools=TOOLS) as events:
        helped = [event.arguments for event in events if event.type == "tool_calls.function.arguments.done"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in calls]
    final = client.chat.completions.create(model="tools", messages=[*messages, reply.choices[0].message, *results], tools=TOOLS)
    tell("tools", text=reply.choices[0].message.content, finish=reply.choices[0].finish_reason, calls=calls, streamed=streamed, end=chunks[-1].finish_reason, helped=helped, final=final.choices[0].message.content)


def store():
    first = client.chat.completions.with_raw_response.create(model=MODEL, messages=question("kept [[tokens=5]]"), store=True)
    conversation = first.headers["x-conversation-id"]
    body = first.parse()
    again = client.chat.completions.create(model=MODEL, messages=question("kept on [[tokens=5]]"), store=True, metadata={"conversation_id": conversation})
    tell("store", conversation=int(conversation), metadata=body.metadata, first=body.choices[0].message.content, again=again.choices[0].message.content, tokens=[body.usage.prompt_tokens, again.usage.prompt_tokens])


def idempotency():
    def ask(text, key):
        return client.chat.completions.create(model=MODEL, messages=question(text), extra_headers={"Idempotency-Key": key, "X-Client-Request-Id": "mine"})

    one, two = ask("once [[tokens=9]]", "k"), ask("once [[tokens=9]]", "k")
    tell("idempotency", same=one.id == two.id, text=two.choices[0].message.content, other=refusal(lambda: ask("another", "k")))


def cancel():
    chunks = client.chat.completions.create(model=MODEL, messages=question("cancelled [[tokens=4000]]"), stream=True, max_tokens=4000)
    for chunk in chunks:
        if chunk.choices[0].delta.content:
            break
    chunks.close()
    tell("cancel")


def in_stream_error():
    try:
        list(client.chat.completions.create(model="broken", messages=question("x"), stream=True))
        tell("in_stream_error", error=None)
    except openai.APIError as error:
        tell("in_stream_error", error=type(error).__name__, message=error.message, code=error.code)


for case in [models, chat, stream, stream_helper, stop, completions, errors, tools, store, idempotency, in_stream_error, cancel]:
    case()
