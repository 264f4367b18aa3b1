"""The proxy in front of a table (`xtask table-proxy`): it shakes the table, and sees whether calls keep to the rules of the design."""

import os
import subprocess


class TableProxy:
    """The proxy's process, in front of a table that may start later."""

    def __init__(self, upstream, log, *flags):
        self.log = log
        command = [os.environ["MAINSHEET_XTASK"], "table-proxy", "--upstream", upstream, *flags]
        with log.open("w") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        self.url = self.process.stdout.readline().strip()
        assert self.url, log.read_text()

    def stop(self):
        """Ends it. Fails when a call broke a rule."""
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0, self.log.read_text()
