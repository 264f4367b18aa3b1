"""Prints how many cases schemathesis sent to the operations of a document, by tag, and how many of its links it followed.

Usage: schemathesis_cases.py DOCUMENT COUNTS LEAST

COUNTS has a line for each run of schemathesis, as `schemathesis_hooks.py` writes it. Fails when an operation had fewer than LEAST cases,
or no link was followed to a success. An operation that takes neither parameters nor a body nor a token has no more than a few different
cases, and needs one.
"""

import collections
import json
import pathlib
import sys


def main(document, counts, least):
    """Prints the table, and says whether each operation and the links had enough."""
    document = json.loads(pathlib.Path(document).read_text())
    runs = [json.loads(run) for run in pathlib.Path(counts).read_text().splitlines()]
    sent, succeeded, refused = (collections.Counter() for _ in range(3))
    for run in runs:
        for name, (cases, successes, refusals) in run["operations"].items():
            sent[name] += cases
            succeeded[name] += successes
            refused[name] += refusals

    tags, needed = collections.defaultdict(list), {}
    for name, operation in operations(document):
        tags[operation["tags"][0]].append(name)
        differs = any(operation.get(part) for part in ("parameters", "requestBody", "security"))
        needed[name] = int(least) if differs else 1

    print(f"{'':24}{'operations':>12}{'cases':>12}{'succeeded':>12}{'fewest':>12}")
    for tag, names in [*sorted(tags.items()), ("all", list(needed))]:
        cases = [sent[name] for name in names]
        cells = len(names), sum(cases), sum(succeeded[name] for name in names), min(cases)
        print(f"{tag:24}" + "".join(f"{cell:>12,}" for cell in cells))
    print(f"{sum(sent.values())} cases in all, and {sum(refused.values())} that were too large for the gateway")
    links = [steps for run in runs for steps in run["links"].values()]
    print(followed(document, links))
    print("with cases that were too large:", listed(f"{name} ({refused[name]})" for name in needed if refused[name]))
    print("with nothing to vary:", listed(name for name in needed if needed[name] == 1))
    print("never with success:", listed(name for name in needed if not succeeded[name]))
    few = [f"{name} ({sent[name]})" for name in needed if sent[name] < needed[name]]
    print("with too few cases:", listed(few))
    return not few and any(successes for _, successes in links)


def operations(document):
    """The operations of a document, by the names that schemathesis has for them."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def followed(document, links):
    """What came of the document's links: `links` has for each that was followed how many steps of sequences did, and how many succeeded."""
    answers = [answer for _, operation in operations(document) for answer in operation["responses"].values()]
    succeeded = [successes for _, successes in links if successes]
    ways = f"{len(links)} of {sum(len(answer.get('links', ())) for answer in answers)} links followed, {len(succeeded)} with success"
    return f"{ways}: {sum(steps for steps, _ in links)} steps of sequences, {sum(succeeded)} with success"


def listed(names):
    return ", ".join(names) or "none"


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
