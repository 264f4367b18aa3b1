"""The platform under test: requests to it, its caught mails, and people on it."""

import json
import os
import re
import time
import urllib.error
import urllib.request

PLATFORM = os.environ.get("MAINSHEET", "http://127.0.0.1:8080")
API = PLATFORM + "/api/v1"
PASSWORD = "four sails, one quiet harbour"


def call(method, path, body=None, token=None):
    """Sends a request; answers its status and its body."""
    request = urllib.request.Request(path if path.startswith("http") else API + path, method=method)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        status, text = refused.code, refused.read()
    return status, json.loads(text) if text else None


def expect(status, *arguments, **options):
    """Sends a request that has to succeed with this status; answers its body."""
    actual, body = call(*arguments, **options)
    assert actual == status, (arguments, actual, body)
    return body


def newest_mail(to):
    """The text of the newest mail to an address, as soon as it is there."""
    for _ in range(200):
        mails = [mail for mail in call("GET", PLATFORM + "/_local/mail")[1]["items"] if mail["to"] == to]
        if mails:
            return mails[-1]["text"]
        time.sleep(0.025)
    raise AssertionError(f"no mail to {to}")


def sign_up(name):
    """A person with an organization of their own: their address, confirmed."""
    email = f"{name}@example.com"
    expect(201, "POST", "/auth/signup", {"email": email, "password": PASSWORD, "organizationName": name})
    token = re.search(r"^[\w-]+\.[\w-]+\.[\w-]+$", newest_mail(email), re.MULTILINE).group()
    expect(204, "POST", "/auth/email/verify", {"token": token})
    return email


def sign_in(email):
    """What signing in answers: tokens or the next step."""
    return expect(200, "POST", "/auth/login", {"email": email, "password": PASSWORD})


def advance_clock(seconds):
    """Moves the platform's clock; answers its new time as seconds since the epoch."""
    from datetime import datetime

    now = expect(200, "POST", PLATFORM + "/_local/clock", {"advanceSeconds": seconds})["now"]
    return datetime.fromisoformat(now.replace("Z", "+00:00")).timestamp()
