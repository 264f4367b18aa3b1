"""Proxies as processes. Each fails at its end when what went by way of it broke a rule, and when nothing did."""

import os
import subprocess

from processes import end


class Proxy:
    """The process of a chore of `xtask`, in front of what may start later."""

    def __init__(self, chore, upstream, log, *flags):
        self.log = log
        command = [os.environ["MAINSHEET_XTASK"], chore, "--upstream", upstream, *flags]
        with log.open("w") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        self.url = self.process.stdout.readline().strip()
        assert self.url, log.read_text()

    def stop(self):
        """Ends it. Fails when a rule was broken, or nothing came by."""
        assert end(self.process) == 0, self.log.read_text()


class TableProxy(Proxy):
    """In front of a table: it shakes the table, and sees whether calls keep to the rules of the design."""

    def __init__(self, upstream, log, *flags):
        super().__init__("table-proxy", upstream, log, *flags)


class GatewayProxy(Proxy):
    """In front of an API: it takes and answers no more than AWS's gateway does, and sees whether functions keep to that."""

    def __init__(self, upstream, log):
        super().__init__("gateway-proxy", upstream, log)
