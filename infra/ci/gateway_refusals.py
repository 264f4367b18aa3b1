"""What the gateway refuses for its size, measured as `shared/embedded/src/gateway.rs` measures it.

Usage: gateway_refusals.py PLATFORM

Fails unless the platform's gateway refuses what is a byte too large, and nothing smaller.
"""

import json
import sys
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict

HEAD = 10_240
BODY = 10 * 1024 * 1024
PAYLOAD = 6 * 1024 * 1024
ENVELOPE = 1024

TOO_LARGE_A_HEAD = 431, b'{"message":"Request Header Fields Too Large"}'
TOO_LARGE_A_BODY = 413, b'{"message":"Request Entity Too Large"}'
# Of larger heads still, the HTTP server in front of the gateway says so without a word. To a `HEAD`, so does the gateway.
WITHOUT_A_WORD = (431, b""), (414, b"")
A_BODY_WITHOUT_A_WORD = 413, b""


def is_due(response):
    """Whether an answer is a refusal of a request that is too large. One of a request that fits is not."""
    answer = response.status_code, response.content
    if answer in (TOO_LARGE_A_HEAD, *WITHOUT_A_WORD):
        return size_of_head(response.request) > HEAD
    return answer in (TOO_LARGE_A_BODY, A_BODY_WITHOUT_A_WORD) and is_too_large_a_body(response.request)


def is_too_large_a_body(request):
    return len(body_of(request)) > BODY or size_of_event(request) > PAYLOAD


def size_of_head(request):
    """Bytes of the request line and all headers, with the one that is added when it is sent."""
    headers = CaseInsensitiveDict({"Host": urlsplit(request.url).netloc, **request.headers})
    line = f"{request.method} {request.path_url} HTTP/1.1\r\n"
    return len(line) + sum(len(name) + len(": \r\n") + len(value.strip()) for name, value in headers.items())


def size_of_event(request):
    """What a function gets, about."""
    return ENVELOPE + 2 * size_of_head(request) + size_as_text(body_of(request))


def size_as_text(body):
    """Bytes of a body as a text in JSON, or in base64 when it is no text."""
    try:
        return len(json.dumps(body.decode(), ensure_ascii=False).encode())
    except UnicodeDecodeError:
        return len('""') + -(-len(body) // 3) * 4


def body_of(request):
    body = request.body or b""
    return body.encode() if isinstance(body, str) else body


def with_a_head_of(size, platform):
    request = requests.Request("GET", f"{platform}/api/v1/me", headers={"X-Padding": ""})
    prepared = requests.Session().prepare_request(request)
    prepared.headers["X-Padding"] = "x" * (size - size_of_head(prepared))
    return prepared


def with_an_event_of(size, platform):
    request = requests.Request("POST", f"{platform}/api/v1/auth/login", data=b'"' * 1_000_000)
    prepared = requests.Session().prepare_request(request)
    padding = b"x" * (size - size_of_event(prepared))
    # The header that says how long it is grows by no digit.
    prepared.prepare_body(prepared.body + padding, None)
    return prepared


def main(platform):
    """Whether the gateway draws the line where it is drawn here."""
    drawn = []
    for largest, request_of in ((HEAD, with_a_head_of), (PAYLOAD, with_an_event_of)):
        for size in (largest, largest + 1):
            answer = requests.Session().send(request_of(size, platform), timeout=30)
            drawn.append((answer.status_code, answer.content) in (TOO_LARGE_A_HEAD, TOO_LARGE_A_BODY))
            drawn.append(is_due(answer))
    return drawn == [False, False, True, True] * 2


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
