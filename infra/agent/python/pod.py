"""Executes one of a run's programs in a pod: `pod.py PROGRAM`.

All that leaves a pod is what it prints. So everything that the program prints is printed by this one, as numbered lines
`<number> <kind> <text>`: `S` and `E` are its two streams, `P` is a piece of the result's preview, and `X`, which comes
last, is how a runner's code ended.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import run_files

CONFIG = Path(__file__).parent
SECRET = Path("/mainsheet-secret")
TERMINATION_LOG = Path("/dev/termination-log")
# Characters; the longest line stays below what container runtimes cut.
PIECE = 3500
MESSAGE = 2000
LAST_WORDS_SECONDS = 5


class Teller:
    """Prints numbered lines, whole, from several threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.number = 0
        self.last_error = ""

    def tell(self, kind, text):
        with self.lock:
            sys.stdout.buffer.write(f"{self.number} {kind} {text}\n".encode("utf-8", "replace"))
            sys.stdout.buffer.flush()
            self.number += 1

    def relay(self, kind, pipe):
        lines = io.TextIOWrapper(pipe, encoding="utf-8", errors="replace", newline="\n")
        while line := lines.readline(PIECE):
            self.tell(kind, line.removesuffix("\n"))
            if kind == "E" and line.strip():
                self.last_error = line.strip()


def main():
    teller = Teller()
    run_directory = run_files.RUN_DIRECTORY
    for name in ("work", "tmp"):
        (run_directory / name).mkdir(exist_ok=True)
    if (SECRET / "job.json").exists():
        shutil.copyfile(SECRET / "job.json", run_directory / "job.json")
    if (run_directory / "site").exists():
        os.environ["PYTHONPATH"] = str(run_directory / "site")
    program = subprocess.Popen(
        [sys.executable, "-s", "-u", str(CONFIG / sys.argv[1])],
        cwd=run_directory / "work",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(program.pid, signal.SIGTERM))
    streams = [("S", program.stdout), ("E", program.stderr)]
    relays = [threading.Thread(target=teller.relay, args=stream, daemon=True) for stream in streams]
    for relay in relays:
        relay.start()
    status = program.wait()
    for relay in relays:
        # What the code left behind may hold the pipes open.
        relay.join(LAST_WORDS_SECONDS)
    tell_outcome(teller, run_directory)
    sys.stdout.flush()
    # Not by the usual way, which waits for threads.
    os._exit(status if status >= 0 else 128 - status)


def tell_outcome(teller, run_directory):
    outcome = read(run_directory / "outcome.json")
    if outcome is None:
        return
    preview = read(run_directory / "preview.json")
    if preview is not None:
        for begin in range(0, len(preview), PIECE):
            teller.tell("P", preview[begin : begin + PIECE])
    outcome = json.loads(outcome)
    message = outcome["message"]
    if message and message.startswith("the script ended with exit status") and teller.last_error:
        # Python's last line names the error.
        outcome["message"] = f"{message}: {teller.last_error}"
    teller.tell("X", json.dumps(outcome))
    # The agent's second source, should it come after the log has been rotated away.
    short = {**outcome, "message": outcome["message"] and outcome["message"][:MESSAGE]}
    try:
        TERMINATION_LOG.write_text(json.dumps(short), encoding="utf-8")
    except OSError:
        pass


def read(path):
    # JSON of ours is one line.
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    main()
