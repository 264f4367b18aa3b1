"""Whether the emulated AWS refuses what the other tests rely on it to refuse."""

import json
import os
from contextlib import suppress
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from emulated_aws import CUSTOMER, REGION

LOOPBACK = "0100007F"
LISTENING = "0A"


def test_nobody_else_can_reach_it(aws):
    sockets = set(opened(aws.process))
    # Where IPv6 is off, its table is not there.
    tables = [table for table in map(Path, ("/proc/net/tcp", "/proc/net/tcp6")) if table.exists()]
    rows = [row.split() for table in tables for row in table.read_text().splitlines()[1:]]
    addresses = [row[1].split(":")[0] for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in sockets]
    assert addresses and set(addresses) == {LOOPBACK}


def opened(process):
    """What a process has open. What it closes meanwhile is passed over."""
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(OSError):
            yield os.readlink(link)


def test_it_has_no_settings_of_ours(aws):
    """Functions inherit its environment."""
    environment = Path(f"/proc/{aws.process.pid}/environ").read_bytes().split(b"\0")
    assert not [setting for setting in environment if setting.startswith(b"MAINSHEET_")]


def test_it_asks_what_roles_allow(aws):
    trusted = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trusted["Condition"] = {"StringEquals": {"sts:ExternalId": "known"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    role = aws.client("iam", CUSTOMER).create_role(RoleName="nobody", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test", ExternalId="unknown")
    keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test", ExternalId="known")["Credentials"]
    session = {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }
    tables = boto3.client("dynamodb", region_name=REGION, endpoint_url=aws.url, **session)
    with pytest.raises(ClientError, match="AccessDenied"):
        tables.list_tables()
    aws.client("iam", CUSTOMER).delete_role(RoleName="nobody")
