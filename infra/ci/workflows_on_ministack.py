"""The rendered state machines on ministack's Step Functions, with our own bootstrap as their function.

Usage: workflows_on_ministack.py BOOTSTRAP COMMAND [ARGUMENT...]

Deploys to ministack what `template.yaml` says of the table, its sealing key, the provisioner and the state machines, and into a
second account an older one of the connection's templates, as a customer would have. Then it runs the command, which finds all that in
its environment, and requires that every execution came to the end that its operation has, that the connection's stack is of the newest
template, and that nothing else is left in the customer's account.

`ministack_with_stand_ins.py` says what ministack lacks, and what stands in for it.
"""

import base64
import collections
import datetime
import io
import ipaddress
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from emulated_aws import ACCOUNT, CUSTOMER, REGION, EmulatedAws, connect, credentials, eventually, require_nothing_left

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONNECTION, TENANT = "1M7YAZCV00QD9FWAFAY8", "1M7YAZCV00QD9FWAFAY9"
EXTERNAL_ID = "6f8d1e1c-8a43-4d53-8f4e-3c1f0c0a9c11"
# What the customer is told to deploy the connection's template with.
PARAMETERS = {
    "IamRoleName": "mainsheet-platform",
    "IamPermissionBoundaryName": f"mainsheet-{CONNECTION}-RoleBoundary",
    "LakeSailAccountID": ACCOUNT,
    "LakeSailTenantID": TENANT,
    "LakeSailConnectionID": CONNECTION,
    "LakeSailConnectionIDLowerCase": CONNECTION.lower(),
    "LakeSailExternalID": EXTERNAL_ID,
    "LakeSailPrincipal": f"arn:aws:iam::{ACCOUNT}:root",
}
# The connection's template, and what one before it said of the role.
NEWEST = (ROOT / "infra/customer/connection.yaml").read_text()
TOLD = "Mainsheet enters this account by it."
OLDER = NEWEST.replace(TOLD, "As an older template says.")


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their long ones."""


def intrinsic(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", intrinsic)


class Kubernetes(BaseHTTPRequestHandler):
    """A cluster's API, which ministack has with Docker alone. It takes what is applied by whoever has a token of EKS's form."""

    protocol_version = "HTTP/1.1"
    applied = collections.Counter()

    def log_message(self, *_):
        pass

    def do_PATCH(self):
        applied = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not self.headers.get("authorization", "").startswith("Bearer k8s-aws-v1."):
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 401, "reason": "Unauthorized"}
            return self.answer(401, json.dumps(status).encode())
        if self.headers["content-type"] != "application/apply-patch+yaml":
            return self.answer(415, b"{}")
        Kubernetes.applied[json.loads(applied)["kind"]] += 1
        return self.answer(200, applied)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def kubernetes(work):
    """Serves `Kubernetes`; answers its URL and its certificate authority as EKS does, base64 of PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = work / "kubernetes.pem"
    pem.write_bytes(secret + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Kubernetes)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"https://127.0.0.1:{server.server_port}", base64.b64encode(certificate).decode()


def deploy(aws, bootstrap):
    """Deploys what the workflows need of `template.yaml`. Answers where that is, as an environment."""
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    resources = template["Resources"]
    table = resources["Table"]["Properties"]
    parts = ("AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes", "BillingMode")
    aws.client("dynamodb").create_table(
        TableName="mainsheet",
        StreamSpecification={"StreamEnabled": True, **table["StreamSpecification"]},
        **{part: table[part] for part in parts},
    )
    kept = "a secret of a run against ministack, and of no use elsewhere"
    secret = aws.client("secretsmanager").create_secret(Name="sealing", SecretString=kept)["ARN"]

    provisioner = resources["Provisioner"]["Properties"]
    everyone = template["Globals"]["Function"]
    told = {
        "MAINSHEET_TABLE": "mainsheet",
        "MAINSHEET_METRICS": "mainsheet",
        "MAINSHEET_SEALING_KEY_SECRET": secret,
        "MAINSHEET_AGENT_URL": "https://mainsheet.example/api/v1",
        "MAINSHEET_AGENT_IMAGE": "agent:1",
        "MAINSHEET_RUNTIME_IMAGE": "runtime:1",
        "MAINSHEET_MARKETPLACE_PRODUCT_CODE": "",
        "AWS_LC_SYS_NO_JITTER_ENTROPY": "1",
    }
    # A setting that the template forgets is missing here, too.
    named = {**everyone["Environment"]["Variables"], **provisioner["Environment"]["Variables"]}
    root = {name.upper(): value for name, value in credentials(ACCOUNT).items()}
    where = {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": aws.url, "AWS_ENDPOINT_URL_DYNAMODB": aws.table.url, **root}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        packed.writestr(entry, bootstrap.read_bytes())
    function = aws.client("lambda").create_function(
        FunctionName="provisioner",
        Runtime=everyone["Runtime"],
        Handler=everyone["Handler"],
        MemorySize=everyone["MemorySize"],
        Timeout=provisioner["Timeout"],
        Role=role(aws, "lambda", "dynamodb:*", "sts:*", "secretsmanager:*"),
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {name: told[name] for name in named}},
    )["FunctionArn"]

    workflows = role(aws, "states", "lambda:*")
    for resource in resources.values():
        if resource["Type"] != "AWS::Serverless::StateMachine":
            continue
        machine = resource["Properties"]
        definition = (ROOT / machine["DefinitionUri"]).read_text()
        aws.client("stepfunctions").create_state_machine(
            name=machine["Name"]["Fn::Sub"].replace("${AWS::StackName}", "mainsheet"),
            definition=definition.replace("${ProvisionerFunction}", function),
            roleArn=workflows,
        )
    # The test stands where the relay does.
    where["AWS_LAMBDA_FUNCTION_NAME"] = "relay"
    return {name: told[name] for name in ("MAINSHEET_TABLE", "MAINSHEET_METRICS", "MAINSHEET_SEALING_KEY_SECRET")} | where


def role(aws, service, *actions):
    """A role of a service of AWS, which may do this; answers its ARN. Its true one is tried by `infra/ci/deployment`."""
    trusted = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    iam = aws.client("iam")
    made = iam.create_role(RoleName=service, AssumeRolePolicyDocument=policy(trusted))["Role"]["Arn"]
    iam.put_role_policy(RoleName=service, PolicyName=service, PolicyDocument=policy(allowed))
    return made


def policy(statement):
    """A document of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def require_the_end(aws):
    """Every execution has ended as its operation did, the connection's stack is up to date, and nothing else is left in the account."""
    step_functions = aws.client("stepfunctions")
    machines = step_functions.list_state_machines()["stateMachines"]

    def running(machine):
        return step_functions.list_executions(stateMachineArn=machine["stateMachineArn"], statusFilter="RUNNING")["executions"]

    # An operation has ended a moment before its execution.
    eventually("every execution has ended", lambda: not any(running(machine) for machine in machines))
    ends = collections.defaultdict(list)
    for machine in machines:
        listed = step_functions.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
        for execution in listed:
            ends[machine["name"]].append(execution["status"])
            events = step_functions.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)["events"]
            states = [
                event["stateEnteredEventDetails"]["name"] for event in events if event["type"].endswith("StateEntered")
            ]
            print(f"{machine['name']}: {execution['status']} by way of", *dict.fromkeys(states))
    wanted = {
        "mainsheet-network-provision": ["FAILED", "SUCCEEDED"],
        "mainsheet-network-destroy": ["SUCCEEDED", "SUCCEEDED"],
        "mainsheet-cluster-provision": ["SUCCEEDED"],
        "mainsheet-cluster-destroy": ["SUCCEEDED"],
        "mainsheet-catalog-provision": ["SUCCEEDED"],
        "mainsheet-catalog-destroy": ["SUCCEEDED"],
        "mainsheet-connection-sync-template": ["SUCCEEDED"],
    }
    found = {name: sorted(statuses) for name, statuses in ends.items()}
    assert found == wanted, found
    assert Kubernetes.applied["Deployment"] == 1, Kubernetes.applied
    entered = aws.client("iam", CUSTOMER).get_role(RoleName=PARAMETERS["IamRoleName"])["Role"]
    assert entered["Description"] == TOLD, entered
    require_nothing_left(aws)


def main():
    bootstrap, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        url, authority = kubernetes(work)
        aws = EmulatedAws(work, KUBERNETES_URL=url, KUBERNETES_AUTHORITY=authority)
        try:
            entered, stack = connect(aws, OLDER, PARAMETERS)
            found = deploy(aws, bootstrap) | {
                "MAINSHEET_STATE_MACHINES": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:mainsheet-",
                "MAINSHEET_CONNECTION": CONNECTION,
                "MAINSHEET_CONNECTION_ROLE": entered,
                "MAINSHEET_CONNECTION_STACK": stack,
                "MAINSHEET_CONNECTION_EXTERNAL_ID": EXTERNAL_ID,
            }
            subprocess.run(command, env=os.environ | found, check=True)
            require_the_end(aws)
        except BaseException:
            print(*aws.log.read_text().splitlines()[-60:], sep="\n")
            raise
        finally:
            aws.stop()


main()
