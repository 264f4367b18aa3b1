"""Executes one run's code, once, and leaves its outcome in the run's directory."""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import run_files
from fetch import Failure, is_wheel, read, scheme_of

LARGEST_SCRIPT_BYTES = 16 * 1024 * 1024


def main():
    if not run_files.write_first("started.json", run_files.own_identity()):
        # Somebody executes this run or did: never twice.
        return
    job = json.loads((run_files.RUN_DIRECTORY / "job.json").read_text(encoding="utf-8"))
    begun = time.monotonic_ns()
    try:
        if "sql" in job["source"]:
            from sql_job import execute

            preview = execute(job["source"]["sql"]["text"], job["outputUri"])
        else:
            execute_python(job["source"]["python"], job["outputUri"])
            preview = {"columns": [], "rows": [], "truncated": False}
        run_files.write("preview.json", preview)
        outcome = {"succeeded": True, "message": None}
    except Failure as failure:
        print(failure, file=sys.stderr, flush=True)
        outcome = {"succeeded": False, "message": str(failure)}
    except Exception as error:
        traceback.print_exc()
        outcome = {"succeeded": False, "message": str(error) or type(error).__name__}
    outcome["executionTimeUs"] = (time.monotonic_ns() - begun) // 1000
    run_files.write("outcome.json", outcome)


def execute_python(python, output_uri):
    """Runs the code as a process of its own, so that whatever it does to itself, its outcome is reported."""
    named = [f"--{name}={value}" for name, value in sorted(python["namedParameters"].items())]
    status = subprocess.run(
        [sys.executable, "-u", *program(python), *python["parameters"], *named],
        env={**os.environ, "MAINSHEET_OUTPUT_PATH": output_uri},
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode
    if status < 0:
        raise Failure(f"the script was ended by signal {-status} ({signal.Signals(-status).name})")
    if status > 0:
        raise Failure(f"the script ended with exit status {status}{last_words()}")


def program(python):
    """What Python executes."""
    source = python["source"]
    if is_wheel(source):
        if not (python.get("packageName") and python.get("entryPoint")):
            raise Failure("a wheel needs `packageName` and `entryPoint`")
        return [str(Path(__file__).with_name("wheel_main.py")), python["packageName"], python["entryPoint"]]
    script = run_files.RUN_DIRECTORY / "work" / "main.py"
    script.write_bytes(source.encode() if scheme_of(source) is None else read(source, LARGEST_SCRIPT_BYTES))
    return [str(script)]


def last_words():
    """The last line that the code wrote to standard error, which in Python names the error."""
    log = run_files.RUN_DIRECTORY / "stderr.log"
    if not log.exists():
        # In a pod the log is elsewhere: its end is what the agent shows.
        return ""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode("utf-8", "replace").strip("\0 \n").splitlines()
    return f": {lines[-1].strip()}" if lines else ""


if __name__ == "__main__":
    main()
