"""Platforms to test: one that others use as well, and new ones."""

import os
import subprocess
import time

import pytest
from platform_client import Platform, free_port
from proxies import TableProxy


@pytest.fixture(scope="session")
def platform():
    """The platform that `infra/ci/with-platform` runs the tests against."""
    return Platform(os.environ["MAINSHEET"])


@pytest.fixture
def start(tmp_path):
    """Starts the platform's program on a data directory of its own, with flags; answers the platform and how to stop it."""
    programs, proxies = [], []

    def stop(program):
        program.terminate()
        program.wait(timeout=30)

    def begin(*flags):
        url, table = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        proxy = TableProxy(table, tmp_path / f"proxy-{len(proxies)}.log")
        proxies.append(proxy)
        settings = {
            "MAINSHEET_PORT": url.rsplit(":", 1)[1],
            "MAINSHEET_DATA_DIR": str(tmp_path / "data"),
            "MAINSHEET_TABLE_PORT": table.rsplit(":", 1)[1],
            "MAINSHEET_TABLE_URL": proxy.url,
        }
        with open(tmp_path / "log", "a") as log:
            command = [os.environ["MAINSHEET_PROGRAM"], *flags]
            program = subprocess.Popen(command, env={**os.environ, **settings}, stderr=log)
        programs.append(program)
        platform = Platform(url)
        for _ in range(600):
            if platform.is_up():
                return platform, lambda: stop(program)
            assert program.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        raise AssertionError("the platform does not answer")

    yield begin
    try:
        for program in programs:
            stop(program)
    finally:
        for proxy in proxies:
            proxy.stop()
