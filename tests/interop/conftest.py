"""Platforms to test: one that others use as well, and new ones."""

import os
import subprocess
import time
from contextlib import ExitStack

import pytest
from platform_client import Platform, free_port
from processes import end
from proxies import TableProxy


@pytest.fixture(scope="session")
def platform():
    """The platform that `infra/ci/with-platform` runs the tests against."""
    return Platform(os.environ["MAINSHEET"])


@pytest.fixture
def start(tmp_path):
    """Starts the platform's program on a data directory of its own, with flags; answers the platform and how to stop it."""
    started = ExitStack()

    def begin(*flags):
        port, table_port = free_port(), free_port()
        proxy = TableProxy(f"http://127.0.0.1:{table_port}", tmp_path / f"proxy-{port}.log")
        started.callback(proxy.stop)
        settings = {
            "MAINSHEET_PORT": str(port),
            "MAINSHEET_DATA_DIR": str(tmp_path / "data"),
            "MAINSHEET_TABLE_PORT": str(table_port),
            "MAINSHEET_TABLE_URL": proxy.url,
        }
        with open(tmp_path / "log", "a") as log:
            command = [os.environ["MAINSHEET_PROGRAM"], *flags]
            program = subprocess.Popen(command, env={**os.environ, **settings}, stderr=log)
        started.callback(end, program)
        platform = Platform(f"http://127.0.0.1:{port}")
        for _ in range(600):
            if platform.is_up():
                return platform, lambda: end(program)
            assert program.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        raise AssertionError("the platform does not answer")

    with started:
        yield begin
