"""The rendered state machines on ministack's Step Functions, with our own bootstrap as their function.

Usage: workflows_on_ministack.py BOOTSTRAP COMMAND [ARGUMENT...]

Deploys to ministack what `template.yaml` says of the table, its sealing key, the provisioner and the state machines, and into a
second account the connection's template, as a customer would. Then it runs the command, which finds all that in its environment,
and requires that every execution came to the end that its operation has, and that nothing is left in the customer's account.

Between the function and ministack is a `Gap`: see there for what ministack lacks, and what stands in for it.
"""

import base64
import collections
import contextlib
import datetime
import io
import ipaddress
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.session
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = pathlib.Path(__file__).resolve().parents[2]
REGION = "eu-central-1"
# ministack takes an access key of twelve digits for the account of whoever signs with it.
PLATFORM, CUSTOMER = "111111111111", "123456789012"
CONNECTION, TENANT = "1M7YAZCV00QD9FWAFAY8", "1M7YAZCV00QD9FWAFAY9"
EXTERNAL_ID = "6f8d1e1c-8a43-4d53-8f4e-3c1f0c0a9c11"
# Waits of state machines are this much shorter: what they wait for is there at once.
WAIT_SCALE = 0.02
# Types that CloudFormation on ministack would refuse a template for.
UNKNOWN_TYPES = {
    "AWS::EC2::EIP",
    "AWS::EC2::FlowLog",
    "AWS::EC2::NatGateway",
    "AWS::IAM::OIDCProvider",
}
# What the connection's role may do in a context alone, as a form has it.
SERVICE_ROLES = urllib.parse.quote_plus("iam:CreateServiceLinkedRole").encode()


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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def served(server):
    """A server of this process, at work while the process is."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Kubernetes(Quiet):
    """A cluster's API, which ministack has with Docker alone. It takes what is applied by whoever has a token of EKS's form."""

    applied = collections.Counter()

    def do_PATCH(self):
        applied = self.body()
        if not self.headers.get("authorization", "").startswith("Bearer k8s-aws-v1."):
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 401, "reason": "Unauthorized"}
            return self.answer(401, json.dumps(status).encode(), "application/json")
        if self.headers["content-type"] != "application/apply-patch+yaml":
            return self.answer(415, b"{}", "application/json")
        Kubernetes.applied[json.loads(applied)["kind"]] += 1
        return self.answer(200, applied, "application/json")


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
    served(server)
    return f"https://127.0.0.1:{server.server_port}", base64.b64encode(certificate).decode()


class Gap(Quiet):
    """Passes calls of CloudFormation, EKS and IAM on to ministack, and makes up for what it lacks there:

    - resources of `UNKNOWN_TYPES` become handles of wait conditions, which are resources that make nothing: no NAT gateway, no flow
      log and no OIDC provider is made;
    - a cluster has an API that answers, its certificate authority, and an issuer with a name as EKS gives it;
    - policies are simulated without the context that was given: the one action whose permission depends on it is allowed.
    """

    ministack = kubernetes = None

    def do_GET(self):
        self.forward()

    do_POST = do_DELETE = do_PUT = do_GET

    def forward(self):
        body = self.body()
        if b"TemplateBody=" in body:
            body = without_unknown_types(body)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("content-length", "host")}
        request = urllib.request.Request(Gap.ministack + self.path, body or None, headers, method=self.command)
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            told = answer.read()
        if self.command == "GET" and re.fullmatch(r"/clusters/[^/]+", self.path) and answer.status == 200:
            told = self.with_api(json.loads(told))
        if b"Action=SimulatePrincipalPolicy" in body and b"ContextEntries" in body and SERVICE_ROLES in body:
            told = told.replace(b"implicitDeny", b"allowed")
        self.send_response(answer.status)
        for name in ("content-type", "x-amzn-requestid", "x-amzn-errortype"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    @staticmethod
    def with_api(described):
        cluster = described["cluster"]
        cluster["endpoint"], cluster["certificateAuthority"]["data"] = Gap.kubernetes
        issuer = cluster["identity"]["oidc"]["issuer"].rsplit("/", 1)[-1].upper()
        cluster["identity"]["oidc"]["issuer"] = f"https://oidc.eks.{REGION}.amazonaws.com/id/{issuer}"
        return json.dumps(described).encode()


def without_unknown_types(form):
    fields = dict(urllib.parse.parse_qsl(form.decode(), keep_blank_values=True))
    template = yaml.load(fields["TemplateBody"], Loader)
    for name, resource in template["Resources"].items():
        if resource["Type"] in UNKNOWN_TYPES:
            kept = {key: resource[key] for key in ("Condition", "DependsOn") if key in resource}
            template["Resources"][name] = {"Type": "AWS::CloudFormation::WaitConditionHandle", **kept}
    return urllib.parse.urlencode(fields | {"TemplateBody": json.dumps(template, default=str)}).encode()


@contextlib.contextmanager
def ministack(work):
    """A ministack of its own, on this machine alone."""
    port = free_port()
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFN_WAIT_SCALE": str(WAIT_SCALE),
        "STATE_DIR": str(work / "state"),
        "TMPDIR": str(work),
    }
    program = pathlib.Path(sys.executable).with_name("ministack")
    with open(work / "ministack.log", "w") as log:
        process = subprocess.Popen([program], env=os.environ | settings, stdout=log, stderr=log, cwd=work)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/_ministack/health").close()
                break
            time.sleep(0.1)
        yield url
    except BaseException:
        print(*(work / "ministack.log").read_text().splitlines()[-60:], sep="\n")
        raise
    finally:
        process.terminate()
        process.wait()


class Clients:
    """Clients of an account, by the name of their service."""

    def __init__(self, url, account):
        self.settings = {
            "region_name": REGION,
            "endpoint_url": url,
            "aws_access_key_id": account,
            "aws_secret_access_key": "of no use elsewhere",
        }
        self.session = botocore.session.get_session()

    def __getattr__(self, service):
        client = self.session.create_client(service, **self.settings)
        setattr(self, service, client)
        return client


def connect(customer):
    """Does what a customer does: deploys the connection's template. Answers the ARNs of role and stack."""
    parameters = {
        "IamRoleName": "mainsheet-platform",
        "IamPermissionBoundaryName": f"mainsheet-{CONNECTION}-RoleBoundary",
        "LakeSailAccountID": PLATFORM,
        "LakeSailTenantID": TENANT,
        "LakeSailConnectionID": CONNECTION,
        "LakeSailConnectionIDLowerCase": CONNECTION.lower(),
        "LakeSailExternalID": EXTERNAL_ID,
        "LakeSailPrincipal": f"arn:aws:iam::{PLATFORM}:root",
    }
    customer.cloudformation.create_stack(
        StackName="mainsheet",
        TemplateBody=(ROOT / "infra/customer/connection.yaml").read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    customer.cloudformation.get_waiter("stack_create_complete").wait(
        StackName="mainsheet", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    stack = customer.cloudformation.describe_stacks(StackName="mainsheet")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return outputs["RoleArn"], stack["StackId"]


def deploy(platform, gap, bootstrap):
    """Deploys what the workflows need of `template.yaml`. Answers where that is, as an environment."""
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    resources = template["Resources"]
    table = resources["Table"]["Properties"]
    settings = {
        name: table[name]
        for name in ("AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes", "BillingMode")
    }
    platform.dynamodb.create_table(
        TableName="mainsheet", StreamSpecification={"StreamEnabled": True, **table["StreamSpecification"]}, **settings
    )
    secret = platform.secretsmanager.create_secret(Name="sealing", SecretString="a secret of a run against ministack, and of no use elsewhere")["ARN"]

    provisioner = resources["Provisioner"]["Properties"]
    everyone = template["Globals"]["Function"]
    told = {
        "MAINSHEET_TABLE": "mainsheet",
        "MAINSHEET_SEALING_KEY_SECRET": secret,
        "MAINSHEET_AGENT_URL": "https://mainsheet.example/api/v1",
        "MAINSHEET_AGENT_IMAGE": "agent:1",
        "MAINSHEET_RUNTIME_IMAGE": "runtime:1",
        "AWS_LC_SYS_NO_JITTER_ENTROPY": "1",
    }
    # A setting that the template forgets is missing here, too.
    named = {**everyone["Environment"]["Variables"], **provisioner["Environment"]["Variables"]}
    where = {
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": PLATFORM,
        "AWS_SECRET_ACCESS_KEY": "of no use elsewhere",
        "AWS_ENDPOINT_URL": platform.settings["endpoint_url"],
        "AWS_ENDPOINT_URL_CLOUDFORMATION": gap,
        "AWS_ENDPOINT_URL_EKS": gap,
        "AWS_ENDPOINT_URL_IAM": gap,
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        packed.writestr(entry, bootstrap.read_bytes())
    function = getattr(platform, "lambda").create_function(
        FunctionName="provisioner",
        Runtime=everyone["Runtime"],
        Handler=everyone["Handler"],
        MemorySize=everyone["MemorySize"],
        Timeout=provisioner["Timeout"],
        Role=f"arn:aws:iam::{PLATFORM}:role/provisioner",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {name: told[name] for name in named} | where},
    )["FunctionArn"]

    for resource in resources.values():
        if resource["Type"] != "AWS::Serverless::StateMachine":
            continue
        machine = resource["Properties"]
        definition = (ROOT / machine["DefinitionUri"]).read_text()
        platform.stepfunctions.create_state_machine(
            name=machine["Name"]["Fn::Sub"].replace("${AWS::StackName}", "mainsheet"),
            definition=definition.replace("${ProvisionerFunction}", function),
            roleArn=f"arn:aws:iam::{PLATFORM}:role/workflows",
        )
    return {name: told[name] for name in ("MAINSHEET_TABLE", "MAINSHEET_SEALING_KEY_SECRET")} | where


def require_the_end(platform, customer):
    """Every execution has ended as its operation did, and nothing is left in the account."""
    ends = collections.defaultdict(list)
    for machine in platform.stepfunctions.list_state_machines()["stateMachines"]:
        listed = platform.stepfunctions.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
        for execution in listed:
            ends[machine["name"]].append(execution["status"])
            events = platform.stepfunctions.get_execution_history(
                executionArn=execution["executionArn"], maxResults=1000
            )["events"]
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
    }
    found = {name: sorted(statuses) for name, statuses in ends.items()}
    assert found == wanted, found
    assert Kubernetes.applied["Deployment"] == 1, Kubernetes.applied
    there = [
        stack["StackName"]
        for stack in customer.cloudformation.describe_stacks()["Stacks"]
        if stack["StackStatus"] != "DELETE_COMPLETE"
    ]
    assert there == ["mainsheet"], there
    assert customer.eks.list_clusters()["clusters"] == []
    assert [vpc for vpc in customer.ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]] == []


def main():
    bootstrap, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        with ministack(work) as url:
            Gap.ministack, Gap.kubernetes = url, kubernetes(work)
            gap = f"http://127.0.0.1:{served(ThreadingHTTPServer(('127.0.0.1', 0), Gap)).server_port}"
            platform, customer = Clients(url, PLATFORM), Clients(url, CUSTOMER)
            role, stack = connect(customer)
            found = deploy(platform, gap, bootstrap) | {
                "MAINSHEET_STATE_MACHINES": f"arn:aws:states:{REGION}:{PLATFORM}:stateMachine:mainsheet-",
                "MAINSHEET_CONNECTION": CONNECTION,
                "MAINSHEET_CONNECTION_ROLE": role,
                "MAINSHEET_CONNECTION_STACK": stack,
                "MAINSHEET_CONNECTION_EXTERNAL_ID": EXTERNAL_ID,
            }
            subprocess.run(command, env=os.environ | found, check=True)
            require_the_end(platform, customer)


main()
