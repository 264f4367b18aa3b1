"""Jobs as answers show them."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode

from table import batch, get

# What markers are sealed with.
MARKER_SECRET = bytes.fromhex(get(("MARKERS", "SECRET"))["data"]["hex"])


def present(values):
    """The values without what is absent."""
    return {name: value for name, value in values.items() if value is not None}


def job_view(row):
    job = row["data"]
    current = job["current"]
    schedule = current["schedule"]
    return present(
        {
            "id": job["id"],
            "memberId": job["createdBy"],
            "jobKey": job["jobKey"],
            "version": current["number"],
            "currentVersion": current["number"],
            "draftVersion": job.get("draftVersion"),
            "basedOnVersion": current["basedOn"],
            "status": job["status"],
            "clusterId": current["clusterId"],
            "description": job["description"],
            "config": current["config"],
            "timeoutSeconds": current["timeoutSeconds"],
            "sourceConfig": current["sourceConfig"],
            "dependsOn": current["dependsOn"],
            "cronExpression": schedule["cronExpression"],
            "cronTimezone": schedule["cronTimezone"],
            "concurrencyPolicy": schedule["concurrencyPolicy"],
            "maxConcurrentRuns": schedule["maxConcurrentRuns"],
            "missedSchedulePolicy": schedule["missedSchedulePolicy"],
            "nextRunAt": row.get("due_at"),
            "lastScheduledAt": row.get("last_scheduled_at"),
            "createdAt": job["createdAt"],
            "createdBy": job["createdBy"],
            "updatedAt": job["updatedAt"],
            "updatedBy": job["updatedBy"],
        }
    )


RUN_FIELDS = (
    "id",
    "jobId",
    "jobVersion",
    "status",
    "statusMessage",
    "hold",
    "resourceCleanupMode",
    "trigger",
    "scheduledAt",
    "replacedBy",
    "dispatchedAt",
    "runnerStartedAt",
    "runnerCompletedAt",
    "runnerExecutionTimeUs",
    "finishedAt",
    "cleanedAt",
    "results",
    "createdAt",
    "createdBy",
    "updatedAt",
    "updatedBy",
)


def run_view(row):
    run = row["data"]
    return present({field: run.get(field) for field in RUN_FIELDS})


def job_item(row):
    job = row["data"]
    return present({"jobId": job["id"], "latestJobRunId": row.get("latest_run_id"), "teamIds": job["teamIds"]})


def included(organization, jobs):
    """The jobs' teams and latest runs in one read, and how many jobs there are in all."""
    tenant = f"O#{organization}#"
    teams = list(dict.fromkeys((tenant + "TEAMS", team) for row in jobs for team in row["data"]["teamIds"]))
    with_run = (row for row in jobs if "latest_run_id" in row)
    runs = [(f"{tenant}JOB#{row['data']['id']}#RUNS", row["latest_run_id"]) for row in with_run]
    count = (tenant + "SELF", "COUNT#JOBS")
    rows = batch([*teams, *runs, count])
    return rows.get(count, {}).get("n", 0), {
        "jobs": [job_view(row) for row in jobs],
        "jobRuns": [run_view(rows[key]) for key in runs if key in rows],
        "teams": [rows[key]["data"] for key in teams if key in rows],
    }


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def base64url(octets):
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def marker(partition, last):
    """Where a list goes on after a row."""
    position, issued_at = [last["sk"]], int(time.time())
    sealed = compact([f"{partition}|None|false|None|None", position, issued_at])
    mac = hmac.digest(MARKER_SECRET, sealed, hashlib.sha256)[:16]
    return base64url(compact({"v": 2, "k": position, "t": issued_at, "m": base64url(mac)}))
