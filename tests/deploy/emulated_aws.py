"""An AWS of our own on 127.0.0.1 (ministack), and `template.yaml` deployed to it by `sam deploy`."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from platform_client import Platform

ROOT = Path(__file__).parents[2]
ACCOUNT = "000000000000"
REGION = "eu-central-1"
STACK = "mainsheet"
MAIL_FROM = "mail@mainsheet.example.com"
PARAMETERS = {
    "MailFrom": MAIL_FROM,
    "PublicUrl": "https://mainsheet.example.com",
    "ConnectionTemplateUrl": "https://templates.s3.eu-central-1.amazonaws.com/connection.yaml",
}


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
    missing here, as it would be in AWS."""

    def __init__(self, port, folder):
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "emulator.log"
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            # By default it listens on every address, and for MQTT as well.
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            # Functions speak to it instead of AWS, and may do what their roles allow.
            "AWS_ENDPOINT_URL": self.url,
            "AUTH": "true",
            **{name.upper(): value for name, value in self.credentials.items()},
        }
        with self.log.open("w") as log:
            program = [os.environ["MINISTACK"]]
            self.process = subprocess.Popen(program, env=environment, cwd=folder, stdout=log, stderr=log)
        eventually("the emulator answers", self.is_up)

    def is_up(self):
        """Whether it answers. One that has ended never will."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/_ministack/health") is not None
        except urllib.error.URLError:
            return False

    def get(self, path):
        """What the emulator tells of itself."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def client(self, service):
        """A client of the AWS SDK."""
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **self.credentials)

    @property
    def credentials(self):
        """Those of the account's root user."""
        return {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "secret"}

    def deploy(self):
        """Deploys the template as `infra/docs/operations.md` says; answers its outputs."""
        overrides = [f"{name}={value}" for name, value in PARAMETERS.items()]
        command = [os.environ["SAM"], "deploy", "--stack-name", STACK, "--resolve-s3", "--no-confirm-changeset", "--no-progressbar"]
        command += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--parameter-overrides", *overrides]
        settings = {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": REGION, "SAM_CLI_TELEMETRY": "0"}
        credentials = {name.upper(): value for name, value in self.credentials.items()}
        deployed = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **settings, **credentials}, capture_output=True, text=True, timeout=300
        )
        assert deployed.returncode == 0, self.failures() or deployed.stderr
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def failures(self):
        """What could not be created, and why."""
        pages = self.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=STACK)
        events = [event for page in pages for event in page["StackEvents"]]
        return [(event["LogicalResourceId"], event["ResourceStatusReason"]) for event in events if "FAILED" in event["ResourceStatus"]]

    def stop(self):
        """Ends it, and with it the functions."""
        self.process.terminate()
        self.process.wait(timeout=30)


@dataclass(frozen=True)
class Deployment(Platform):
    """What was deployed, reached through its API Gateway."""

    aws: EmulatedAws = field(compare=False)

    def newest_mail(self, to):
        """The text of the newest mail to an address, as soon as SES has it."""
        mails = eventually(f"a mail to {to}", lambda: self.mails(to))
        return mails[-1]["BodyText"]

    def mails(self, to):
        """All mails to an address, oldest first."""
        messages = self.aws.get("/_ministack/ses/messages")["messages"].get(ACCOUNT, [])
        return [message for message in messages if to in message["To"]]

    def resource(self, name):
        """The physical id of a resource of the stack."""
        described = self.aws.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=name)
        return described["StackResourceDetail"]["PhysicalResourceId"]
