"""The table's rows, read as shared/store reads them: consistent, and as many as go together in one call."""

import os
from decimal import Decimal

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

TABLE = os.environ["MAINSHEET_TABLE"]
# The most keys that DynamoDB takes in one batch.
BATCH = 100
# How often keys that a batch left unprocessed are asked for again.
TRIES = 5

client = boto3.client("dynamodb")
serialize = TypeSerializer().serialize


class Deserializer(TypeDeserializer):
    """Whole numbers as such: all that is kept here."""

    def _deserialize_n(self, value):
        return int(value) if value.isdigit() else Decimal(value)


deserialize = Deserializer().deserialize


def plain(item):
    return {name: deserialize(value) for name, value in item.items()}


def typed(key):
    return {"pk": serialize(key[0]), "sk": serialize(key[1])}


def get(key):
    answer = client.get_item(TableName=TABLE, Key=typed(key), ConsistentRead=True)
    return plain(answer["Item"]) if "Item" in answer else None


def batch(keys):
    """The rows of these keys that there are, by key."""
    distinct = list(dict.fromkeys(keys))
    found = {}
    for start in range(0, len(distinct), BATCH):
        pending = {TABLE: {"Keys": [typed(key) for key in distinct[start : start + BATCH]], "ConsistentRead": True}}
        for _ in range(TRIES):
            answer = client.batch_get_item(RequestItems=pending)
            for item in answer["Responses"].get(TABLE, []):
                row = plain(item)
                found[(row["pk"], row["sk"])] = row
            pending = answer.get("UnprocessedKeys")
            if not pending:
                break
        else:
            raise RuntimeError("the table leaves keys of a batch unprocessed")
    return found


def first(partition, limit):
    """The first rows of a partition."""
    answer = client.query(
        TableName=TABLE,
        KeyConditionExpression="#pk = :pk",
        ExpressionAttributeNames={"#pk": "pk"},
        ExpressionAttributeValues={":pk": serialize(partition)},
        ConsistentRead=True,
        ScanIndexForward=True,
        Limit=limit,
    )
    return [plain(item) for item in answer["Items"]]
