"""A run's own Sail server. It takes a free port itself, so that nobody can take it in between, and leaves word of it."""

import threading

from pysail.spark import SparkConnectServer

import run_files

server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
_, port = server.listening_address
run_files.write("sail.json", {"process": run_files.own_identity(), "port": port})
threading.Event().wait()
