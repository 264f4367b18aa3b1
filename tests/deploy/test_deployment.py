"""People and agents at the deployed API: gateway, functions, table, stream, queues and schedules together."""

import base64
import json
from datetime import UTC, datetime

import pytest
from deployment import PARAMETERS, ROOT, STACK, deploy
from emulated_aws import CONNECTION_STACK, CUSTOMER, REGION, connect, eventually, require_nothing_left
from platform_client import PASSWORD, Platform

# How long a run may take: the first one also prepares the Spark environment.
RUN_SECONDS = 900
ENDED = {"succeeded", "failed", "cancelled", "timeout"}
FUNCTIONS = [path.name.capitalize() for path in (ROOT / "functions").iterdir()]
# A customer's, to be connected.
ACCOUNT = {"name": "production", "provider": "aws", "providerConfig": {"accountId": CUSTOMER, "region": REGION}}


def job(team_id, cluster, key, **more):
    """The body of a job that adds numbers up."""
    sql = "SELECT region, SUM(amount) AS total FROM VALUES ('north', 10), ('south', 32), ('north', 5) AS t(region, amount) GROUP BY region ORDER BY region"
    return {"jobKey": key, "clusterId": cluster, "teamIds": [team_id], "config": {"sql": {"source": sql}}, **more}


def ended(deployment, path, token):
    """The run, once it has ended."""
    run = deployment.expect(200, "GET", path, token=token)
    return run if run["status"] in ENDED else None


def test_from_sign_up_to_rows(team, cluster):
    deployment, token, team_id = team
    created = deployment.expect(201, "POST", "/workloads/jobs", job(team_id, cluster, "sales"), token)
    runs = f"/workloads/jobs/{created['id']}/runs"
    run = deployment.expect(201, "POST", runs, {}, token)
    path = f"{runs}/{run['id']}"
    done = eventually("the run ends", lambda: ended(deployment, path, token), RUN_SECONDS)
    assert done["status"] == "succeeded", done
    assert deployment.expect(200, "GET", f"{path}/results", token=token)["rows"] == [["north", 15], ["south", 32]]


def test_a_schedule_fires(team, cluster):
    deployment, token, team_id = team
    schedule = {"cronExpression": "* * * * *", "cronTimezone": "Europe/Berlin"}
    created = deployment.expect(201, "POST", "/workloads/jobs", job(team_id, cluster, "minutely", **schedule), token)
    runs = f"/workloads/jobs/{created['id']}/runs"
    run = eventually("a run of the schedule", lambda: deployment.expect(200, "GET", runs, token=token)["items"], 150)[0]
    done = eventually("it ends", lambda: ended(deployment, f"{runs}/{run['id']}", token), RUN_SECONDS)
    assert done["status"] == "succeeded", done


@pytest.fixture(scope="module")
def connection(team):
    """A customer's account that is connected: where its connection is, and the role by which it is entered."""
    deployment, token, _ = team
    path = f"/infra/connections/{deployment.expect(201, 'POST', '/infra/connections', ACCOUNT, token)['id']}"
    role, _ = connect(deployment.aws, deployment.download(f"{path}/template/download", token))
    verified = deployment.expect(200, "POST", f"{path}/verify", {"roleArn": role}, token)
    assert verified["status"] == "active", verified
    yield path, role
    deployment.expect(204, "DELETE", path, token=token)


def test_an_account_is_entered_for_its_own_connection_alone(team, connection):
    """Another one has another external id than the role demands."""
    (deployment, token, _), (_, role) = team, connection
    another = f"/infra/connections/{deployment.expect(201, 'POST', '/infra/connections', ACCOUNT, token)['id']}"
    assert deployment.expect(200, "POST", f"{another}/verify", {"roleArn": role}, token)["status"] == "failed"
    deployment.expect(204, "DELETE", another, token=token)


def test_a_network_comes_and_goes(team, connection):
    """By the deployed state machines, in another account, which a customer has connected."""
    (deployment, token, _), (path, _) = team, connection
    network = network_of(deployment, path, "10.0.0.0/20", token)
    ended = operation_ended(deployment, provision(deployment, network, token), token)
    assert ended["status"] == "succeeded", ended["error"]
    assert deployment.expect(200, "GET", network, token=token)["included"]["networks"][0]["status"] == "active"
    [there] = [each for each in deployment.aws.client("ec2", CUSTOMER).describe_vpcs()["Vpcs"] if not each["IsDefault"]]
    assert there["CidrBlock"] == "10.0.0.0/20"
    stacks = deployment.aws.client("cloudformation", CUSTOMER).describe_stacks()["Stacks"]
    [tags] = [each["Tags"] for each in stacks if each["StackName"] != CONNECTION_STACK]
    assert {"Key": "aws-apn-id", "Value": f"pc:{PARAMETERS['MarketplaceProductCode']}"} in tags, tags
    destroy(deployment, network, token)


def test_an_execution_that_was_stopped_has_failed_its_operation(team, connection):
    """Its state machine says nothing any more; EventBridge does."""
    (deployment, token, _), (path, _) = team, connection
    workflows, machine = deployment.aws.client("stepfunctions"), deployment.resource("NetworkProvision")
    network = network_of(deployment, path, "10.1.0.0/20", token)

    def running(operation):
        found = workflows.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
        return [each["executionArn"] for each in found if each["name"] == operation]

    # A step that cannot reach the table is tried again, for some five seconds with waits as short as here. EventBridge's call, which the
    # emulator makes once, has to reach it.
    with deployment.forbidden("ProvisionerRole", "dynamodb:*"):
        operation = provision(deployment, network, token)
        [execution] = eventually("its execution runs", lambda: running(operation))
    workflows.stop_execution(executionArn=execution)
    ended = operation_ended(deployment, operation, token)
    assert workflows.describe_execution(executionArn=execution)["status"] == "ABORTED"
    assert (ended["status"], ended["error"]["code"]) == ("failed", "internal"), ended
    assert deployment.expect(200, "GET", network, token=token)["included"]["networks"][0]["status"] == "failed"
    destroy(deployment, network, token)


def network_of(deployment, connection, cidr, token):
    """Where a new network of a connection is."""
    network = {"name": "main", "region": REGION, "config": {"cidr": cidr}}
    created = deployment.expect(201, "POST", f"{connection}/networks", network, token)
    return f"{connection}/networks/{created['id']}"


def provision(deployment, network, token):
    """Has a network made as it is planned; answers the operation."""
    plan = deployment.expect(200, "GET", f"{network}/plan", token=token)
    return deployment.expect(202, "POST", f"{network}/provision", {"planHash": plan["hash"]}, token)["id"]


def destroy(deployment, network, token):
    """Has a network removed, from the account and from the list."""
    operation = deployment.expect(202, "DELETE", network, token=token)["id"]
    ended = operation_ended(deployment, operation, token)
    assert ended["status"] == "succeeded", ended["error"]
    require_nothing_left(deployment.aws)
    deployment.expect(204, "DELETE", f"/infra/networks/{network.rsplit('/', 1)[1]}", token=token)


def operation_ended(deployment, operation, token):
    """The operation, once it has ended."""
    path = f"/operations/{operation}"
    ends = {"succeeded", "failed", "cancelled"}

    def look():
        found = deployment.expect(200, "GET", path, token=token)
        return found if found["status"] in ends else None

    return eventually(f"operation {operation} ends", look, 120)


def test_a_part_of_a_batch_fails_is_set_aside_and_sent_again(deployment):
    """In SES's sandbox only confirmed addresses can be written to: of two mails in one batch one goes out."""
    aws = deployment.aws
    ses, sqs, functions = aws.client("sesv2"), aws.client("sqs"), aws.client("lambda")
    queue, dead, source = (deployment.resource(name) for name in ("MailQueue", "MailDeadLetters", "NotifierSource"))
    sandbox = {"MailType": "TRANSACTIONAL", "WebsiteURL": "https://mainsheet.example.com"}
    ses.put_account_details(ProductionAccessEnabled=False, **sandbox)
    ses.create_email_identity(EmailIdentity="known@example.com")
    # Five tries take a quarter of an hour otherwise.
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "5"})

    functions.update_event_source_mapping(UUID=source, Enabled=False)
    for name in ("known", "unknown"):
        account = {"email": f"{name}@example.com", "password": PASSWORD, "organizationName": name}
        deployment.expect(201, "POST", "/auth/signup", account)
    eventually("both wait for one batch", lambda: waiting(sqs, queue) == 2)
    functions.update_event_source_mapping(UUID=source, Enabled=True)
    eventually("one of them is set aside", lambda: waiting(sqs, dead) == 1, 120)
    assert len(deployment.mails("known@example.com")) == 1
    assert not deployment.mails("unknown@example.com")

    ses.put_account_details(ProductionAccessEnabled=True, **sandbox)
    # The emulator has no StartMessageMoveTask, which does the same.
    [message] = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10)["Messages"]
    sqs.send_message(QueueUrl=queue, MessageBody=message["Body"])
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
    assert "Confirm" in deployment.newest_mail("unknown@example.com")
    assert len(deployment.mails("known@example.com")) == 1
    assert waiting(sqs, dead) == 0


def test_the_relay_names_the_first_record_that_it_could_not_carry(deployment):
    """AWS Lambda sends that one and all behind it again. The emulator's stream does not: what it brings meanwhile is lost."""
    [record] = json.loads((ROOT / "tests/events/relay-outbox.json").read_text())["Records"]
    nobodys = {**record["dynamodb"]["NewImage"], "kind": {"S": "job"}}
    changes = [{"NewImage": nobodys, "SequenceNumber": "1"}, {"SequenceNumber": "2"}, {"SequenceNumber": "3"}]
    batch = {"Records": [{**record, "dynamodb": {**record["dynamodb"], **change}} for change in changes]}
    with deployment.forbidden("RelayRole", "sqs:SendMessage"):
        assert failed_at(deployment, "Relay", batch) == ["2"]


@pytest.mark.parametrize(("function", "event"), [("Dispatcher", "dispatcher-run-pending"), ("Relay", "relay-given-up")])
def test_of_messages_those_are_named_that_a_function_could_not_handle(deployment, function, event):
    """One that cannot be read keeps no other from being handled."""
    [message] = json.loads((ROOT / f"tests/events/{event}.json").read_text())["Records"]
    batch = {"Records": [{**message, "messageId": "unreadable", "body": "{}"}, message]}
    assert failed_at(deployment, function, batch) == ["unreadable"]


def failed_at(deployment, function, batch):
    """What of a batch a function says it failed at. AWS Lambda counts no error then, so the function counts each itself, in the log of the
    call, as the metric that its alarm watches."""
    answer = deployment.aws.client("lambda").invoke(
        FunctionName=deployment.resource(function), Qualifier="live", LogType="Tail", Payload=json.dumps(batch)
    )
    assert "FunctionError" not in answer, answer
    failed = [item["itemIdentifier"] for item in json.load(answer["Payload"])["batchItemFailures"]]
    alarms = deployment.aws.client("cloudwatch").describe_alarms(AlarmNames=[deployment.resource(f"{function}Failures")])
    [alarm] = alarms["MetricAlarms"]
    log = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert [metrics(line) for line in measurements(log)] == [{watched(alarm): 1}] * len(failed), log
    return failed


def test_what_the_relay_gave_up_is_carried_again(deployment):
    """By a message as AWS Lambda sets it aside, of a time in which somebody was mailed."""
    sqs, functions = deployment.aws.client("sqs"), deployment.aws.client("lambda")
    dead, redrive = deployment.resource("RelayDeadLetters"), deployment.resource("RelayRedrive")
    account = {"email": "twice@example.com", "password": PASSWORD, "organizationName": "twice"}
    begun = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    deployment.expect(201, "POST", "/auth/signup", account)
    assert "Confirm" in deployment.newest_mail("twice@example.com")

    batch = {"approximateArrivalOfFirstRecord": begun, "approximateArrivalOfLastRecord": begun, "batchSize": 1}
    sqs.send_message(QueueUrl=dead, MessageBody=json.dumps({"version": "1.0", "DDBStreamBatchInfo": batch}))
    assert waiting(sqs, dead) == 1
    functions.update_event_source_mapping(UUID=redrive, Enabled=True)
    try:
        eventually("the message is taken", lambda: waiting(sqs, dead) == 0)
        eventually("the mail comes again", lambda: len(deployment.mails("twice@example.com")) >= 2)
    finally:
        functions.update_event_source_mapping(UUID=redrive, Enabled=False)


def waiting(sqs, queue):
    """How many messages are in a queue, in flight or not."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(count) for count in attributes.values())


def test_what_can_be_read_in_every_order(team):
    """Each order is an index of the table, which a function's role has to name."""
    deployment, token, _ = team
    paths = json.loads((ROOT / "infra/openapi/openapi.json").read_text())["paths"]
    asked, refused = 0, {}
    for path, item in paths.items():
        operation = item.get("get", {})
        parameters = operation.get("parameters", [])
        if "{" in path or operation.get("security") != [{"accessToken": []}] or any(each.get("required") for each in parameters):
            continue
        orders = [value for each in parameters if each["name"] == "sortBy" for value in each["schema"]["enum"]]
        for query in ["", *(f"?sortBy={order}" for order in orders)]:
            status, answer = deployment.call_at_root("GET", path + query, token=token)
            asked += 1
            if status != 200:
                refused[path + query] = (status, answer)
    assert not refused, refused
    assert asked > 30, asked


def test_functions_may_do_what_their_roles_allow(team):
    """They inherit the emulator's own credentials, which may do anything."""
    deployment, token, _ = team
    with deployment.forbidden("OrganizationRole", "dynamodb:*"):
        status, answer = deployment.call("GET", "/org/teams", token=token)
        assert status >= 500, (status, answer)
    deployment.expect(200, "GET", "/org/teams", token=token)


def test_agents_are_answered_at_both_addresses(deployment):
    """At their function's own, where nothing else is, and at the API's."""
    agents = Platform(deployment.agents_url)
    for platform in (agents, deployment):
        assert platform.call("POST", "/agent/lease", {})[0] == 401
    assert agents.call("GET", "/me")[0] == 404


def test_what_is_too_large_stops_at_the_gateway(team, emulated_gateway):
    """The emulator's own takes what AWS's does not."""
    deployment, token, _ = team
    path = f"/me?padding={'x' * 10_240}"
    assert Platform(emulated_gateway).call("GET", path, token=token)[0] == 200
    assert deployment.call("GET", path, token=token) == (431, {"message": "Request Header Fields Too Large"})


def test_what_happens_is_measured(team):
    """In the embedded metric format, in the functions' logs, with the trace that X-Ray follows."""
    deployment, token, _ = team
    deployment.expect(200, "GET", "/me", token=token)
    [identity, notifier] = [eventually(f"{name} measures", lambda: measured(deployment, name)) for name in ("Identity", "Notifier")]
    answered = [line for line in identity if line["operation"] == "GET /api/v1/me"]
    assert answered and answered[-1]["Answer"] == "accepted" and answered[-1]["FunctionName"] == deployment.resource("Identity")
    assert answered[-1]["xrayTraceId"].startswith("Root=1-")
    assert {line["Delivery"] for line in notifier} >= {"sent"}
    for line in identity + notifier:
        for (namespace, _, dimensions), value in metrics(line).items():
            assert namespace == STACK and isinstance(value, float)
            assert all(isinstance(text, str) for _, text in dimensions)


def test_alarms_watch_what_is_measured(team):
    """One with another namespace or other dimensions than the functions wrote would never ring. A metric that
    nobody wrote yet is passed over."""
    deployment, *_ = team
    lines = [line for name in FUNCTIONS for line in measured(deployment, name)]
    kinds = {(namespace, metric, frozenset(dict(dimensions))) for line in lines for namespace, metric, dimensions in metrics(line)}
    written = {metric for _, metric, _ in kinds}
    assert "Requests" in written
    for page in deployment.aws.client("cloudwatch").get_paginator("describe_alarms").paginate():
        for alarm in page["MetricAlarms"]:
            namespace, metric, dimensions = watched(alarm)
            assert metric not in written or (namespace, metric, frozenset(dict(dimensions))) in kinds, alarm


def measured(deployment, function):
    """What a function measured so far."""
    logs = deployment.aws.client("logs").get_paginator("filter_log_events")
    pages = logs.paginate(logGroupName=deployment.resource(f"{function}Logs"))
    return measurements(event["message"] for page in pages for event in page["events"])


def measurements(log):
    """The lines of a log that CloudWatch makes metrics of."""
    return [json.loads(line) for line in log if line.startswith("{") and '"_aws"' in line]


def metrics(line):
    """What CloudWatch makes of such a line: values by namespace, name and dimensions."""
    [directive] = line["_aws"]["CloudWatchMetrics"]
    [names] = directive["Dimensions"]
    dimensions = frozenset((name, line[name]) for name in names)
    return {(directive["Namespace"], metric["Name"], dimensions): line[metric["Name"]] for metric in directive["Metrics"]}


def watched(alarm):
    """The namespace, name and dimensions of the metric that an alarm watches."""
    dimensions = frozenset((dimension["Name"], dimension["Value"]) for dimension in alarm["Dimensions"])
    return alarm["Namespace"], alarm["MetricName"], dimensions


def test_the_next_revision_takes_over(team):
    """An upgrade: each function's alias moves on, and who was signed in stays so."""
    deployment, token, _ = team
    functions = deployment.aws.client("lambda")
    before = {name: version_of(deployment, functions, name) for name in FUNCTIONS}
    deploy(deployment.aws, "2611210002")
    after = {name: version_of(deployment, functions, name) for name in FUNCTIONS}
    assert all(int(after[name]) > int(before[name]) for name in FUNCTIONS), (before, after)
    deployment.expect(200, "GET", "/me", token=token)


def version_of(deployment, functions, name):
    """The version of a function that is called."""
    return functions.get_alias(FunctionName=deployment.resource(name), Name="live")["FunctionVersion"]
