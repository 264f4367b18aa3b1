"""What schemathesis has to be told: who asks, what need not wait, what is text, what never came to us, and to count its cases."""

import collections
import hashlib
import json
import os
import pathlib
import secrets

import gateway_refusals
import requests
import schemathesis
from schemathesis import cli
from schemathesis.core.media_types import YAML_MEDIA_TYPES
from schemathesis.engine import events

# The person, their access token of the moment and what was counted, for `infra/ci/schemathesis`.
CREDENTIALS = {"email": os.environ["FUZZ_EMAIL"], "password": os.environ["FUZZ_PASSWORD"]}
TOKEN = pathlib.Path(os.environ["FUZZ_TOKEN"])
CASES = pathlib.Path(os.environ["FUZZ_CASES"])


def ask(method, path, token=None, body=None):
    """Sends what is right, and answers what comes of it."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.request(method, f"{os.environ['MAINSHEET']}/api/v1{path}", json=body, headers=headers, timeout=30)
    answer.raise_for_status()
    return answer.json()


def post(path, body, token=None):
    return ask("POST", path, token, body)


class Login:
    """The person's login. Refreshing its tokens tries no password: too many wrong ones are among the cases, and lock an address."""

    tokens = None

    def access_token(self):
        """A new one, good for 15 minutes; of a new login where a case has ended the one before. Where a case has ended the person, they
        go on with the last one, and are refused."""
        refreshed = self.tokens and self.granted("/auth/token/refresh", {"refreshToken": self.tokens["refreshToken"]})
        self.tokens = refreshed or self.granted("/auth/login", CREDENTIALS) or self.tokens
        TOKEN.write_text(self.tokens["accessToken"])
        return self.tokens["accessToken"]

    def granted(self, path, body):
        """Tokens; none where they are refused, or where no answer came. The first ones have to be there."""
        try:
            return post(path, body)
        except requests.RequestException:
            if self.tokens is None:
                raise
            return None


LOGIN = Login()


class Bearer:
    """A token in the header `Authorization`. It is renewed after so many seconds, and when it is answered with 401."""

    def set(self, case, token, _context):
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.auth(refresh_interval=600).skip_for(tag="agents")
class Person(Bearer):
    """Whoever asks for everything else."""

    def get(self, _case, _context):
        return LOGIN.access_token()


@schemathesis.auth(refresh_interval=24 * 60 * 60).apply_to(tag="agents")
class Agent(Bearer):
    """An agent of a new cluster. Its token lasts as long as the cluster."""

    def get(self, _case, _context):
        return new_cluster()[1]


def new_cluster():
    """Its id, and the token of its agent."""
    cluster = {"name": secrets.token_hex(8), "region": "eu-central-1"}
    registered = post("/workloads/clusters", cluster, LOGIN.access_token())
    secret = secrets.token_hex(32)
    registration = {
        "registrationToken": registered["agentRegistrationToken"],
        "secretSha256": hashlib.sha256(secret.encode()).hexdigest(),
        "version": "0.1.0",
        "backend": "process",
    }
    return registered["id"], f"msa_{post('/agent/register', registration)['agentId']}_{secret}"


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """There is never work for the agent: nothing is learned by waiting for it as long as it may."""
    wait = case.body.get("waitSeconds") if isinstance(case.body, dict) else None
    # A wait that has to be refused stays as it is.
    if case.operation.path == "/api/v1/agent/lease" and type(wait) is int and 0 < wait <= 20:
        case.body["waitSeconds"] = 0


@schemathesis.hook
def filter_failure(_context, _failure, _case, response):
    """A request that is too large for the gateway did not come to what the document describes, so its answer contradicts nothing."""
    return not gateway_refusals.is_due(response)


@schemathesis.deserializer(*YAML_MEDIA_TYPES)
def text(_context, response):
    """Templates of CloudFormation have tags of their own, so to others they are text."""
    return response.content.decode()


@cli.handler()
class Count(cli.EventHandler):
    """Counts the cases that came to each operation with its own method, how many of them succeeded, and those that the gateway kept back;
    and by link the steps of sequences that took what another answer gave, and how many of them succeeded."""

    def __init__(self, *_args, **_params):
        self.counts = collections.defaultdict(lambda: [0, 0, 0])
        self.steps = collections.defaultdict(lambda: [0, 0])

    def handle_event(self, _ctx, event):
        if not isinstance(event, events.ScenarioFinished):
            return
        for case_id, sent in event.recorder.interactions.items():
            node = event.recorder.cases[case_id]
            case = node.value
            if sent.response is None:
                continue
            has_succeeded = 200 <= sent.response.status_code < 400
            if node.transition is not None and node.is_transition_applied:
                self.steps[node.transition.id][0] += 1
                self.steps[node.transition.id][1] += has_succeeded
            count = self.counts[case.operation.label]
            if gateway_refusals.is_due(sent.response):
                count[2] += 1
            elif case.method.upper() == case.operation.method.upper():
                count[0] += 1
                count[1] += has_succeeded

    def shutdown(self, _ctx):
        with CASES.open("a") as file:
            file.write(json.dumps({"operations": self.counts, "links": self.steps}) + "\n")
