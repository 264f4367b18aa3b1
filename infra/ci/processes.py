"""How processes end."""

import subprocess


def end(process):
    """Ends a process; answers its status. One that does not end is killed, and that is a failure."""
    process.terminate()
    try:
        return process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
