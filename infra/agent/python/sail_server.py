"""A run's own Sail server. It takes a free port itself, so that nobody can take it in between, and leaves word of it."""

import os
import time

from pysail.spark import SparkConnectServer

import run_files

# The agent stops the server when its run has ended. Where no agent comes back, it does not stay for ever.
LOOK_EVERY_SECONDS = 5
STAYS_WITHOUT_RUNNER_SECONDS = 600
STAYS_AFTER_RUNNER_SECONDS = 60

# In a pod others have to reach it, the port is known, and the pod's owner ends it.
host, port = os.environ.get("MAINSHEET_SAIL_LISTEN", "127.0.0.1:0").rsplit(":", 1)
server = SparkConnectServer(host, int(port))
server.start(background=True)
_, port = server.listening_address
run_files.write("sail.json", {"process": run_files.own_identity(), "port": port})

needed = time.monotonic()
allowance = STAYS_WITHOUT_RUNNER_SECONDS
while "MAINSHEET_POD" in os.environ or time.monotonic() - needed < allowance:
    time.sleep(LOOK_EVERY_SECONDS)
    if run_files.runner_is_alive():
        needed = time.monotonic()
        allowance = STAYS_AFTER_RUNNER_SECONDS
