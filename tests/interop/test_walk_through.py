"""infra/docs/walk-through.md, run as it stands there."""

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from platform_client import free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "infra/docs/walk-through.md"


def blocks():
    """The page's shell blocks after those that say how to begin, one after another."""
    page = PAGE.read_text()
    steps = page[page.index("\n## 1. ") :]
    return "".join(re.findall(r"^```sh\n(.*?)^```$", steps, re.MULTILINE | re.DOTALL))


def promised():
    """The actions that the page's last table says are in the audit log."""
    rows = re.findall(r"^\| (`[a-z_.`, ]+) \|", PAGE.read_text(), re.MULTILINE)
    return {action for row in rows for action in re.findall(r"`([a-z_.]+)`", row)}


def walked(script, surroundings):
    """What comes of a script: its status, what it printed, and its errors. Nothing that it started outlives it."""
    walk = subprocess.Popen(
        ["bash", "-c", script], cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        printed, errors = walk.communicate(timeout=180)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(walk.pid, signal.SIGKILL)
    return walk.returncode, printed, errors


def test_every_step_of_the_page_is_in_the_audit_log(start):
    platform, _ = start()
    script = "set -euo pipefail\ntrap 'kill $PROVIDER 2>/dev/null || true' EXIT\n" + blocks()
    surroundings = {**os.environ, "MAINSHEET": platform.url, "PORT": str(free_port())}
    status, printed, errors = walked(script, surroundings)
    assert status == 0, printed + errors
    assert '"email":"grace@example.com"' in printed and '"totpEnabled":true' in printed, printed
    assert "\nAcme\n" in printed, printed
    logged = set(re.findall(r"^\S+Z ([a-z_]+\.[a-z_]+) ", printed, re.MULTILINE))
    assert len(promised()) >= 10 and promised() <= logged, (promised() - logged, logged)
    assert re.search(r'"permissions":\[[^]]*"CanManageJobs', printed), printed
