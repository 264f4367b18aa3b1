"""Executes one run's code, once, and leaves its outcome in the run's directory."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
import urllib.request

import run_files

LARGEST_SCRIPT_BYTES = 16 * 1024 * 1024


class Failure(Exception):
    """What a person has to read about why the run failed."""


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
    """Runs the script as a process of its own, so that whatever it does to itself, its outcome is reported."""
    script = run_files.RUN_DIRECTORY / "work" / "main.py"
    script.write_bytes(read_script(python["source"]))
    named = [f"--{name}={value}" for name, value in sorted(python["namedParameters"].items())]
    status = subprocess.run(
        [sys.executable, "-u", str(script), *python["parameters"], *named],
        env={**os.environ, "MAINSHEET_OUTPUT_PATH": output_uri},
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode
    if status < 0:
        raise Failure(f"the script was ended by signal {-status} ({signal.Signals(-status).name})")
    if status > 0:
        raise Failure(f"the script ended with exit status {status}{last_words()}")


def read_script(source):
    """The script itself, wherever it is."""
    scheme = re.fullmatch(r"([a-z][a-z0-9]*)://\S+", source.strip())
    if scheme is None:
        return source.encode()
    uri = source.strip()
    if scheme[1] not in ("http", "https", "file"):
        raise Failure(f"the process backend does not read {scheme[1]}:// sources; use https:// or file://, or the text")
    if uri.partition("?")[0].endswith(".whl"):
        raise Failure("the process backend does not execute wheels; give a .py file")
    try:
        with urllib.request.urlopen(uri, timeout=30) as response:
            script = response.read(LARGEST_SCRIPT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Failure(f"cannot read {uri}: {getattr(error, 'reason', error)}") from error
    if len(script) > LARGEST_SCRIPT_BYTES:
        raise Failure(f"{uri} is larger than {LARGEST_SCRIPT_BYTES} bytes")
    return script


def last_words():
    """The last line that the script wrote to standard error, which in Python names the error."""
    with (run_files.RUN_DIRECTORY / "stderr.log").open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
        lines = log.read().decode("utf-8", "replace").strip("\0 \n").splitlines()
    return f": {lines[-1].strip()}" if lines else ""


if __name__ == "__main__":
    main()
