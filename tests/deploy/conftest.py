"""One deployment for all tests, and what works beside it."""

import os
import re
import subprocess

import pytest
from deployment import MAIL_FROM, Deployment, deploy
from emulated_aws import EmulatedAws, eventually
from processes import end
from proxies import GatewayProxy


@pytest.fixture(scope="session")
def aws(tmp_path_factory):
    """An AWS with nothing in it but an address that mails may come from."""
    emulated = EmulatedAws(tmp_path_factory.mktemp("aws"))
    try:
        emulated.client("sesv2").create_email_identity(EmailIdentity=MAIL_FROM)
        yield emulated
    finally:
        emulated.stop()


@pytest.fixture(scope="session")
def outputs(aws):
    """What the template, once it is deployed, says of itself."""
    return deploy(aws, "2611210001")


@pytest.fixture(scope="session")
def emulated_gateway(aws, outputs):
    """Where the emulator's own gateway answers for the deployed template. It takes whatever comes."""
    api = re.match(r"https?://([a-z0-9]+)\.execute-api\.", outputs["ApiUrl"]).group(1)
    # Its name does not resolve everywhere; the emulator knows it by a path as well.
    return f"{aws.url}/_aws/execute-api/{api}/$default"


@pytest.fixture(scope="session")
def gateway(emulated_gateway, tmp_path_factory):
    """Where people reach it: behind a gateway that takes no more than AWS's."""
    yield from behind_gateway(emulated_gateway, tmp_path_factory)


@pytest.fixture(scope="session")
def agents_url(aws, outputs, tmp_path_factory):
    """Where agents reach it: at their function's own address. What a function gets and answers is bounded there as behind a gateway."""
    function = re.match(r"https://([a-z0-9-]+)\.lambda-url\.", outputs["AgentUrl"]).group(1)
    yield from behind_gateway(f"{aws.url}/_aws/lambda-url/{function}", tmp_path_factory)


def behind_gateway(url, tmp_path_factory):
    """Where a gateway answers for what is at `url`, for as long as that is used."""
    proxy = GatewayProxy(url, tmp_path_factory.mktemp("gateway") / "log")
    try:
        yield proxy.url
    finally:
        proxy.stop()


@pytest.fixture(scope="session")
def deployment(aws, gateway, agents_url):
    """The deployed template."""
    deployment = Deployment(gateway, agents_url, aws)
    # The emulator knows no resources of SES, so it takes no permission for one.
    statement = {"Effect": "Allow", "Action": "ses:SendEmail", "Resource": "*"}
    deployment.permit("NotifierRole", "any-mail", statement)
    return deployment


@pytest.fixture(scope="session")
def team(deployment):
    """A person's access token, the team and a cluster of the team whose agent works."""
    token = deployment.sign_in(deployment.sign_up("ada"))["accessToken"]
    return deployment, token, deployment.expect(200, "GET", "/org/teams", token=token)["items"][0]["team"]["id"]


@pytest.fixture(scope="session")
def cluster(team, tmp_path_factory):
    """A cluster with an agent that runs jobs as processes, and calls the deployed function as from a customer's network."""
    deployment, token, team_id = team
    cluster = deployment.expect(201, "POST", "/workloads/clusters", {"name": "on-premises", "region": "elsewhere"}, token)
    deployment.expect(201, "POST", f"/workloads/clusters/{cluster['id']}/teams", {"teamIds": [team_id]}, token)
    folder = tmp_path_factory.mktemp("agent")
    settings = {
        "MAINSHEET_AGENT_URL": f"{deployment.agents_url}/api/v1",
        "MAINSHEET_AGENT_REGISTRATION_TOKEN": cluster["agentRegistrationToken"],
        "MAINSHEET_AGENT_DATA_DIR": str(folder),
        "MAINSHEET_AGENT_CAPACITY": "1",
    }
    with (folder / "log").open("w") as log:
        agent = subprocess.Popen([os.environ["MAINSHEET_AGENT"]], env={**os.environ, **settings}, stdout=log, stderr=log)
    path = f"/me/clusters/{cluster['id']}"
    try:
        eventually("the agent reports", lambda: deployment.expect(200, "GET", path, token=token)["included"]["clusters"][0]["status"] == "active")
        yield cluster["id"]
    finally:
        end(agent)
