// The table's rows, read as shared/store reads them: consistent, and as many as go together in one call.
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { BatchGetCommand, DynamoDBDocumentClient, GetCommand, QueryCommand } from "@aws-sdk/lib-dynamodb";

const table = process.env.MAINSHEET_TABLE;
const client = DynamoDBDocumentClient.from(new DynamoDBClient());

/** The most keys that DynamoDB takes in one batch. */
const BATCH = 100;
/** How often keys that a batch left unprocessed are asked for again. */
const TRIES = 5;

export const key = (pk, sk) => ({ pk, sk });

const name = ({ pk, sk }) => `${pk} ${sk}`;

export async function get({ pk, sk }) {
  const { Item } = await client.send(new GetCommand({ TableName: table, Key: { pk, sk }, ConsistentRead: true }));
  return Item;
}

/** The rows of these keys, by `of`. */
export async function batch(keys) {
  const distinct = [...new Map(keys.map((key) => [name(key), key])).values()];
  const chunks = [];
  for (let start = 0; start < distinct.length; start += BATCH) chunks.push(distinct.slice(start, start + BATCH));
  const found = new Map();
  await Promise.all(chunks.map((chunk) => readChunk(chunk, found)));
  return { of: (key) => found.get(name(key)) };
}

async function readChunk(keys, found) {
  let pending = { [table]: { Keys: keys, ConsistentRead: true } };
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const { Responses, UnprocessedKeys } = await client.send(new BatchGetCommand({ RequestItems: pending }));
    for (const row of Responses?.[table] ?? []) found.set(name(row), row);
    if (!UnprocessedKeys?.[table]) return;
    pending = UnprocessedKeys;
  }
  throw new Error("the table leaves keys of a batch unprocessed");
}

/** The first rows of a partition. */
export async function first(partition, limit) {
  const { Items } = await client.send(
    new QueryCommand({
      TableName: table,
      KeyConditionExpression: "#pk = :pk",
      ExpressionAttributeNames: { "#pk": "pk" },
      ExpressionAttributeValues: { ":pk": partition },
      ConsistentRead: true,
      ScanIndexForward: true,
      Limit: limit,
    }),
  );
  return Items ?? [];
}
