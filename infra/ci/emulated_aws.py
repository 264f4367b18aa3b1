"""An AWS of our own on 127.0.0.1: ministack, which others wrote."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import boto3

from processes import end
from proxies import TableProxy

# Its root user's access key is its number, as with every account of ministack.
ACCOUNT = "000000000000"
# Of another account: a customer's.
CUSTOMER = "123456789012"
REGION = "eu-central-1"
SECRET = "of no use elsewhere"
# Of a connection, in the customer's account. The connection's role may update stacks whose names begin so, as that of the link to it does.
CONNECTION_STACK = "mainsheet-connection"


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def eventually(what, look, seconds=60):
    """What `look` answers, as soon as that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what}")


class EmulatedAws:
    """The emulator's process. What it runs inherits its environment, so it gets nothing of ours: a variable that the template forgets is
    missing here, as it would be in AWS.

    Functions reach DynamoDB by way of the table's proxy. The emulator checks the signature of a function's call. A call that the proxy
    changes is sent as the root user's, whose signatures are not checked, once the emulator has answered the function's own."""

    def __init__(self, folder, **settings):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "emulator.log"
        # What fails on the way ends what it has started.
        with ExitStack() as started:
            self.table = TableProxy(self.url, folder / "table-proxy.log", "--access-key", ACCOUNT)
            # Judged only where all has begun: what fails before says why.
            started.callback(end, self.table.process)
            self.process = self.start(folder, port, settings)
            started.callback(end, self.process)
            eventually("the emulator answers", self.is_up)
            self.started = started.pop_all()

    def start(self, folder, port, settings):
        """Starts the emulator's process."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            # By default it listens on every address, and for MQTT as well.
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            # Waits of state machines are this much shorter: what they wait for is there at once.
            "SFN_WAIT_SCALE": "0.02",
            # Functions speak to it instead of AWS, and may do what their roles allow.
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.table.url,
            "AUTH": "true",
            **{name.upper(): value for name, value in credentials(ACCOUNT).items()},
            **settings,
        }
        program = [sys.executable, Path(__file__).with_name("ministack_with_stand_ins.py")]
        with self.log.open("w") as log:
            return subprocess.Popen(program, env=environment, cwd=folder, stdout=log, stderr=log)

    def is_up(self):
        """Whether it answers. One that has ended never will."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/_ministack/health") is not None
        except OSError:
            return False

    def get(self, path):
        """What the emulator tells of itself."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def client(self, service, account=ACCOUNT):
        """A client of the AWS SDK, as an account's root user."""
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **credentials(account))

    def stop(self):
        """Ends it, and with it the functions. Fails when one of their calls of the table broke a rule of the design, or none came by."""
        self.started.close()
        self.table.stop()


def credentials(account):
    """Those of an account's root user."""
    return {"aws_access_key_id": account, "aws_secret_access_key": SECRET}


def connect(aws, template, parameters=()):
    """Does what a customer does: deploys the connection's template. Answers the ARNs of its role and of its stack."""
    cloudformation = aws.client("cloudformation", CUSTOMER)
    cloudformation.create_stack(
        StackName=CONNECTION_STACK,
        TemplateBody=template,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in dict(parameters).items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=CONNECTION_STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    stack = cloudformation.describe_stacks(StackName=CONNECTION_STACK)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return outputs["RoleArn"], stack["StackId"]


def require_nothing_left(aws):
    """The customer's account has the connection's stack alone."""
    stacks = aws.client("cloudformation", CUSTOMER).describe_stacks()["Stacks"]
    there = [stack["StackName"] for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"]
    assert there == [CONNECTION_STACK], there
    assert aws.client("eks", CUSTOMER).list_clusters()["clusters"] == []
    networks = aws.client("ec2", CUSTOMER).describe_vpcs()["Vpcs"]
    assert all(network["IsDefault"] for network in networks), networks
