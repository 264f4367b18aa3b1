"""The files of a run's directory, as far as its processes write them."""

import json
import os
from pathlib import Path

RUN_DIRECTORY = Path(os.environ["MAINSHEET_RUN"])


def own_identity():
    """Names this process for good: a process id alone is given to somebody else sooner or later."""
    return _identity(os.getpid())


def _identity(pid):
    # The second field is the program's name in parentheses and may hold anything, so count from the last one.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return {
        "pid": pid,
        "startTime": int(fields[19]),
        "bootId": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
    }


def _write_aside(name, content):
    aside = RUN_DIRECTORY / f".{name}.{os.getpid()}"
    with aside.open("w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    return aside


def write(name, content):
    """Writes a JSON file whole or not at all."""
    os.replace(_write_aside(name, content), RUN_DIRECTORY / name)


def write_first(name, content):
    """Writes a JSON file unless it is there already, and says whether it did. Of several processes one wins."""
    aside = _write_aside(name, content)
    try:
        os.link(aside, RUN_DIRECTORY / name)
    except FileExistsError:
        return False
    finally:
        aside.unlink()
    return True


def runner_is_alive():
    """Whether the process that executes the run's code is there."""
    try:
        runner = json.loads((RUN_DIRECTORY / "started.json").read_text(encoding="utf-8"))
        return runner == _identity(runner["pid"])
    except OSError:
        return False
