import re

import schemathesis

USER = "ann"


@schemathesis.hook
def filter_headers(context, headers):
    """uWebSockets.js takes a head with any other name for one that has not come whole, waits, and closes after 10 s."""
    return all(re.fullmatch("[A-Za-z0-9-]+", name) for name in headers or {})


@schemathesis.hook
def before_call(context, case, kwargs):
    say_what_schemas_cannot(case)
    # uWebSockets.js takes bytes outside of ASCII from the ends of values, so that nobody would see them.
    for name, value in list(case.headers.items()):
        if isinstance(value, str) and not value.isascii():
            case.headers[name] = f"x{value}x"


def say_what_schemas_cannot(case):
    """A request names the same user everywhere, and only a new conversation begins with a context."""
    for part in (case.body, case.query):
        if isinstance(part, dict) and isinstance(part.get("user_id"), str) and 1 <= len(part["user_id"]) <= 128:
            part["user_id"] = USER
    if isinstance(case.headers.get("X-User-Id"), str):
        case.headers["X-User-Id"] = USER
    if isinstance(case.body, dict) and case.body.get("context"):
        case.body.pop("conversation_id", None)
