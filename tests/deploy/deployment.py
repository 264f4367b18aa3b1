"""`template.yaml`, deployed to an emulated AWS by `sam deploy`."""

import json
import os
import subprocess
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from emulated_aws import ACCOUNT, REGION, EmulatedAws, credentials, eventually
from platform_client import Platform

ROOT = Path(__file__).parents[2]
STACK = "mainsheet"
MAIL_FROM = "mail@mainsheet.example.com"
PARAMETERS = {
    "MailFrom": MAIL_FROM,
    "PublicUrl": "https://mainsheet.example.com",
    # The emulator has no CodeDeploy.
    "GradualDeployment": "false",
    "ConnectionTemplateUrl": "https://templates.s3.eu-central-1.amazonaws.com/connection.yaml",
    "AgentImage": "registry.example.com/mainsheet-agent:1",
    "RuntimeImage": "registry.example.com/mainsheet-runtime:1",
    "MarketplaceProductCode": "5ugbbrmu7ud3u5hsipfzug61p",
}


def deploy(aws, revision):
    """Deploys the template as `infra/docs/operations.md` says; answers its outputs."""
    overrides = [f"{name}={value}" for name, value in {**PARAMETERS, "Revision": revision}.items()]
    command = [os.environ["SAM"], "deploy", "--stack-name", STACK, "--resolve-s3", "--no-confirm-changeset", "--no-progressbar"]
    command += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--parameter-overrides", *overrides]
    settings = {"AWS_ENDPOINT_URL": aws.url, "AWS_DEFAULT_REGION": REGION, "SAM_CLI_TELEMETRY": "0"}
    root = {name.upper(): value for name, value in credentials(ACCOUNT).items()}
    deployed = subprocess.run(
        command, cwd=os.environ["MAINSHEET_PACKAGE"], env={**os.environ, **settings, **root}, capture_output=True, text=True, timeout=600
    )
    assert deployed.returncode == 0, f"{deployed.stderr}\n{failures(aws)}"
    stack = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    assert stack["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}, stack
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def failures(aws):
    """What could not be created, and why."""
    cloudformation = aws.client("cloudformation")
    if STACK not in {stack["StackName"] for stack in cloudformation.list_stacks()["StackSummaries"]}:
        return []
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=STACK)
    events = [event for page in pages for event in page["StackEvents"]]
    return [(event["LogicalResourceId"], event["ResourceStatusReason"]) for event in events if "FAILED" in event["ResourceStatus"]]


@dataclass(frozen=True)
class Deployment(Platform):
    """What was deployed: people reach it through a gateway, agents at an address of their own."""

    agents_url: str
    aws: EmulatedAws = field(compare=False)

    def newest_mail(self, to):
        """The text of the newest mail to an address, as soon as SES has it."""
        mails = eventually(f"a mail to {to}", lambda: self.mails(to))
        return mails[-1]["BodyText"]

    def mails(self, to):
        """All mails to an address, oldest first."""
        messages = self.aws.get("/_ministack/ses/messages")["messages"].get(ACCOUNT, [])
        return [message for message in messages if to in message["To"]]

    def download(self, path, token):
        """What is at an address below `/api/v1`, as it stands there."""
        request = urllib.request.Request(f"{self.url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def resource(self, name):
        """The physical id of a resource of the stack."""
        described = self.aws.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=name)
        return described["StackResourceDetail"]["PhysicalResourceId"]

    def permit(self, role, name, statement):
        """Gives a role of the stack one more policy, of one statement; answers what the role is called."""
        physical = self.resource(role)
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.aws.client("iam").put_role_policy(RoleName=physical, PolicyName=name, PolicyDocument=document)
        return physical

    @contextmanager
    def forbidden(self, role, action):
        """In which a role of the stack may not do something that its own policies allow."""
        physical = self.permit(role, "forbidden", {"Effect": "Deny", "Action": action, "Resource": "*"})
        try:
            yield
        finally:
            self.aws.client("iam").delete_role_policy(RoleName=physical, PolicyName="forbidden")
