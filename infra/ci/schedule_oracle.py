"""Compares when our schedules are due with what `cronsim` says: one case a line on standard input, as JSON.

A case has `expression`, `zone`, `from` (seconds since the Unix epoch) and either `due`, our next moments after it in seconds, or
`error`, why we refuse the expression. Every difference has to be of a class below, each of which is written up in the page that
is the first argument; the rest is printed, and fails.
"""

import collections
import json
import multiprocessing
import pathlib
import re
import sys
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

# cronsim is told what crontab(5) says that these mean.
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

WE_REFUSE_STEP_OF_ONE = "step-of-one-number"
WE_REFUSE_STAR_IN_LIST = "star-in-a-list"
WE_REFUSE_LAST_WEEKDAY = "last-working-day"
CRONSIM_REFUSES_SUNDAY = "range-up-to-sunday"
CRONSIM_REFUSES_NAMED_LAST = "named-last-weekday"
CRONSIM_WIDENS_RANGE = "range-of-one-with-a-step"
CRONSIM_REPEATS_GAP = "repeated-after-a-gap"
CRONSIM_MISSES_ITS_FIELDS = "cronsim-misses-its-own-fields"
CLASSES = [value for name, value in list(globals().items()) if name.startswith(("WE_", "CRONSIM_"))]

UTC = timezone.utc


class Endless(Exception):
    """It comes by the same moments again and again."""


class Simulation(CronSim):
    """A search that gives up after more steps than the months of four centuries take."""

    def advance(self):
        self.steps = 0
        super().advance()

    def advance_month(self):
        self.steps += 1
        if self.steps > 10_000:
            raise Endless
        super().advance_month()


def simulated(case):
    """cronsim's moments after the case's, as many different ones as we have, repetitions included."""
    expression = NICKNAMES.get(case["expression"].lower(), case["expression"])
    start = datetime.fromtimestamp(case["from"], ZoneInfo(case["zone"]))
    wanted = max(1, len(case.get("due", [])))
    found = []
    for moment in Simulation(expression, start):
        second = int(moment.timestamp())
        # A day that a clock skips has 1,440 times that are due as the next one begins.
        if found and second < found[-1] or len(found) > 2_000:
            raise Endless
        # A repetition follows what it repeats.
        if (not found or found[-1] != second) and len(set(found)) == wanted:
            break
        found.append(second)
    return found


def walked(case):
    """What cronsim's own fields say of each minute up to our last moment: its rule for intervals without its way through time."""
    expression = NICKNAMES.get(case["expression"].lower(), case["expression"])
    fields = CronSim(expression, datetime.fromtimestamp(case["from"], UTC))
    zone = ZoneInfo(case["zone"])
    found, second = [], case["from"] // 60 * 60 + 60
    while second <= case["due"][-1]:
        moment = datetime.fromtimestamp(second, zone)
        if moment.month not in fields.months or not fields.match_day(moment.date()):
            # Days begin with a quarter of an hour, and clocks go back to the day before within the first hour.
            second += 60 if moment.hour == 0 else 900 - second % 900
            continue
        if moment.minute in fields.minutes and moment.hour in fields.hours:
            found.append(second)
        second += 60
    return found


def is_interval(expression):
    minute, hour = NICKNAMES.get(expression.lower(), expression).split()[:2]
    return minute.startswith("*") or hour.startswith("*")


def without_ranges_of_one(expression):
    """`2-2/4` is 2, and so it is written here."""
    return re.sub(r"\b(\d+)-0*\1/\d+", r"\1", expression)


def why_we_refuse(case):
    """The class of an expression that cronsim takes and we do not."""
    fields = case["expression"].upper().split()
    items = [item for field in fields for item in field.split(",")]
    if any("/" in item and item.split("/")[0].isdigit() for item in items):
        return WE_REFUSE_STEP_OF_ONE
    if any("," in field and "*" in field.split(",") for field in fields):
        return WE_REFUSE_STAR_IN_LIST
    if "LW" in items:
        return WE_REFUSE_LAST_WEEKDAY
    return None


def why_cronsim_refuses(case):
    """The class of an expression that we take and cronsim does not."""
    weekdays = case["expression"].upper().split()[4].split(",")
    if any("-SUN" in item for item in weekdays):
        return CRONSIM_REFUSES_SUNDAY
    named_last = any(item.endswith("L") and item[:-1].isalpha() for item in weekdays)
    return CRONSIM_REFUSES_NAMED_LAST if named_last else None


def judge(line):
    """What a case shows: `equal`, `both-refuse`, a class, or a difference that nobody explains."""
    case = json.loads(line)
    verdict, difference = compare(case)
    plain = without_ranges_of_one(case["expression"])
    if difference and plain != case["expression"] and compare({**case, "expression": plain})[0] != "unexplained":
        return CRONSIM_WIDENS_RANGE, None
    return verdict, difference


def compare(case):
    try:
        theirs = simulated(case)
    except (CronSimError, AssertionError):
        theirs = None
    except Endless:
        theirs = ["endless"]
    ours = case.get("due")
    if not ours and not theirs:
        return "both-refuse", None
    if ours is None:
        verdict = why_we_refuse(case)
    elif theirs is None:
        verdict = why_cronsim_refuses(case)
    elif ours == theirs:
        verdict = "equal"
    elif not is_interval(case["expression"]) and ours == list(dict.fromkeys(theirs)):
        verdict = CRONSIM_REPEATS_GAP
    elif is_interval(case["expression"]) and ours == walked(case):
        verdict = CRONSIM_MISSES_ITS_FIELDS
    else:
        verdict = None
    if verdict:
        return verdict, None
    return "unexplained", {**case, "cronsim": theirs}


def main():
    page = pathlib.Path(sys.argv[1]).read_text()
    unwritten = [name for name in CLASSES if f"`{name}`" not in page]
    if unwritten:
        sys.exit(f"{sys.argv[1]} says nothing of {', '.join(unwritten)}")
    verdicts = collections.Counter()
    unexplained = []
    with multiprocessing.Pool(2) as pool:
        for verdict, difference in pool.imap_unordered(judge, sys.stdin, chunksize=200):
            verdicts[verdict] += 1
            unexplained += [difference] if difference else []
    for verdict, count in verdicts.most_common():
        print(f"{count:8} {verdict}")
    for difference in unexplained[:10]:
        print(json.dumps(difference))
    if not verdicts["equal"] or unexplained:
        sys.exit(f"{len(unexplained)} of {verdicts.total()} comparisons differ, and nobody knows why")


if __name__ == "__main__":
    main()
