"""What schemathesis has to be told for sequences, besides: with what they begin, and what is right where the document cannot say so.

A sequence is about what comes after what. Where its first request is refused it has ended: nothing can be done with what is not there.
"""

import functools
import math
import os
import re
import time
import zlib

import requests
import schemathesis
import schemathesis_hooks
from schemathesis.openapi.checks import UseAfterFree

# Fields that may be absent, and whose values are right by what exists or by one another.
LEFT_OUT = frozenset(
    "accountId catalogId configWrite connectionId dependsOn expiresAt externalIdSecretArn jobId jobVersion organizationId roleArn"
    " sourceConfig stackArn".split()
)
# What is right by what it means, by the tag of the operation.
MEANINGFUL = {
    "jobs": {"config": {"sql": {"source": "SELECT 1"}}, "cronExpression": "0 2 * * *", "cronTimezone": "UTC"},
    "networks": {"config": {"cidr": "10.0.0.0/16"}, "region": "us-east-1"},
}
ORGANIZATION = "LakeSail-Organization-Id"
VERSION = re.compile(r'"\d+"')


@schemathesis.hook
def before_load_schema(_context, document):
    """By its name schemathesis takes this header for the id of a thing that has to be created, which no operation does. It then has no
    operation to begin with, and begins with any. The person has one organization, which need not be named."""
    for item in document["paths"].values():
        for operation in item.values():
            operation["parameters"] = [given for given in operation.get("parameters", ()) if given["name"] != ORGANIZATION]


class Surroundings:
    """What is there to name: a team that nobody can delete, and a cluster that takes runs."""

    def __init__(self):
        token = schemathesis_hooks.LOGIN.access_token()
        cluster, self.agent = schemathesis_hooks.new_cluster()
        team = schemathesis_hooks.ask("GET", "/org", token)["defaultTeamId"]
        self.ids = {"teamId": team, "teamIds": [team], "clusterId": cluster}
        self.heard_of = -math.inf

    def keep_alive(self):
        """A cluster takes runs for two minutes after its agent was heard of."""
        if time.monotonic() - self.heard_of > 60:
            idle = {"holding": [], "utilization": {"cpu": 0, "memory": 0, "capacity": 1}}
            schemathesis_hooks.ask("POST", "/agent/heartbeat", self.agent, idle)
            self.heard_of = time.monotonic()


@functools.cache
def surroundings():
    """Those of the person."""
    return Surroundings()


def ids():
    """What is there, by the names of fields. Where a sequence has ended the cluster, there is another one the next time."""
    try:
        surroundings().keep_alive()
        return surroundings().ids
    except requests.RequestException:
        surroundings.cache_clear()
        return {}


def role(connection):
    """The role of a connection, for which the customer deploys its stack."""
    platform, token = os.environ["MAINSHEET"], schemathesis_hooks.LOGIN.access_token()
    template = f"{platform}/api/v1/infra/connections/{connection}/template/download"
    downloaded = requests.get(template, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    stack = {"accountId": f"{zlib.crc32(connection.encode()):012}", "template": downloaded.text}
    # There is none of a connection that is not there.
    return requests.post(f"{platform}/_local/cloud/deploy", json=stack, timeout=30).json().get("roleArn", "")


@schemathesis.hook("before_call")
def go_on_right(_context, case, _kwargs):
    """What is sent wrong on purpose stays as it is."""
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    # One that no answer gave is none, and stale.
    if not VERSION.fullmatch(case.headers.get("If-Match", "")):
        case.headers.pop("If-Match", None)
    if isinstance(case.body, dict):
        values = ids() | MEANINGFUL.get(case.operation.tags[0], {})
        if "roleArn" in case.body:
            values["roleArn"] = role(case.path_parameters["connection"])
        case.body = right(case.body, values)


def right(part, values):
    """A part of a body, with these values in place of those of fields with their names."""
    if isinstance(part, dict):
        kept = {name: value for name, value in part.items() if name in values or name not in LEFT_OUT}
        return {name: values.get(name, right(value, values)) for name, value in kept.items()}
    if isinstance(part, list):
        return [right(item, values) for item in part]
    return readable(part) if isinstance(part, str) else part


def readable(text):
    """Names and the like are to be seen: nothing invisible, no control characters, not empty."""
    return "".join(letter if letter.isprintable() else chr(ord("a") + ord(letter) % 26) for letter in text) or "a"


@schemathesis.hook("filter_failure")
def has_ended(_context, failure, case, _response):
    """What is told to end or to stop is there until it has: such a `DELETE` answers 202."""
    if not isinstance(failure, UseAfterFree):
        return True
    path = failure.operation.removeprefix("DELETE ")
    return "202" not in case.operation.schema.raw_schema["paths"][path]["delete"]["responses"]
