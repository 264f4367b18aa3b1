"""A platform: requests to it, its caught mails, and people on it."""

import json
import re
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime

PASSWORD = "four sails, one quiet harbour"


@dataclass(frozen=True)
class Platform:
    """A platform that answers at an address."""

    url: str

    def call(self, method, path, body=None, token=None):
        """Sends a request below `/api/v1`; answers its status and its body."""
        return self.call_at_root(method, "/api/v1" + path, body, token)

    def call_at_root(self, method, path, body=None, token=None):
        """Sends a request outside the protocol; answers its status and its body."""
        request = urllib.request.Request(self.url + path, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            status, text = refused.code, refused.read()
        return status, json.loads(text) if text else None

    def expect(self, expected, method, path, body=None, token=None):
        """Sends a request that has to be answered with this status; answers its body."""
        status, answer = self.call(method, path, body, token)
        assert status == expected, (method, path, status, answer)
        return answer

    def is_up(self):
        """Whether it answers."""
        try:
            return self.call_at_root("GET", "/_local/health")[0] == 200
        except OSError:
            return False

    def newest_mail(self, to):
        """The text of the newest mail to an address, as soon as it is there."""
        for _ in range(200):
            mails = [mail for mail in self.call_at_root("GET", "/_local/mail")[1]["items"] if mail["to"] == to]
            if mails:
                return mails[-1]["text"]
            time.sleep(0.025)
        raise AssertionError(f"no mail to {to}")

    def sign_up(self, name):
        """A person with an organization of their own: their address, confirmed."""
        email = f"{name}@example.com"
        self.expect(201, "POST", "/auth/signup", {"email": email, "password": PASSWORD, "organizationName": name})
        token = re.search(r"^[\w-]+\.[\w-]+\.[\w-]+$", self.newest_mail(email), re.MULTILINE).group()
        self.expect(204, "POST", "/auth/email/verify", {"token": token})
        return email

    def sign_in(self, email):
        """What signing in answers: tokens or the next step."""
        return self.expect(200, "POST", "/auth/login", {"email": email, "password": PASSWORD})

    def published_keys(self):
        """The key set at its well-known address."""
        return self.call_at_root("GET", "/.well-known/jwks.json")[1]

    def advance_clock(self, seconds):
        """Moves its clock; answers the new time as seconds since the epoch."""
        status, moved = self.call_at_root("POST", "/_local/clock", {"advanceSeconds": seconds})
        assert status == 200, moved
        return datetime.fromisoformat(moved["now"].replace("Z", "+00:00")).timestamp()


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
