"""Executes SQL statements in order and keeps the last one's rows."""

import contextlib
import os
import re
import shutil
import urllib.parse
import urllib.request
from pathlib import Path

import pyarrow
import pyarrow.fs
import pyarrow.parquet
from pyspark.sql import SparkSession
from sqlglot.dialects import Spark
from sqlglot.errors import TokenError
from sqlglot.tokens import TokenType

from preview import Preview

PART = "part-00000.parquet"
ROW_GROUP_BYTES = 64 * 1024 * 1024
# The commands whose rows are what was asked for. What others answer (`CREATE`: true, `INSERT`: a count) is no result.
TELLING_COMMANDS = {"SHOW", "DESCRIBE", "DESC", "EXPLAIN"}


def execute(text, output_uri):
    """Executes `text`, writes the last statement's rows below `output_uri` and returns their preview."""
    statements = split(text)
    if not statements:
        raise ValueError("the SQL text has no statement")
    session = SparkSession.builder.getOrCreate()
    for statement in statements[:-1]:
        for _ in batches(session, session.sql(statement)):
            pass
    last = session.sql(statements[-1])
    if not is_query(last) and first_word(statements[-1]) not in TELLING_COMMANDS:
        return Preview([]).as_json()
    refuse_unreadable(last)
    preview = Preview([(field.name, field.dataType.simpleString()) for field in last.schema.fields])
    write(batches(session, last), output_uri, preview)
    return preview.as_json()


def tokens(text):
    try:
        return Spark().tokenize(text)
    except TokenError:
        # The engine says better than the tokenizer what is wrong.
        return None


def split(text):
    """The statements between semicolons; those in strings, quoted names and comments do not count."""
    found = tokens(text)
    if found is None:
        return [text]
    statements, begin, words = [], 0, 0
    for token in found:
        if token.token_type != TokenType.SEMICOLON:
            words += 1
            continue
        if words:
            statements.append(text[begin : token.start].strip())
        begin, words = token.end + 1, 0
    if words:
        statements.append(text[begin:].strip())
    return statements


def first_word(statement):
    found = tokens(statement)
    return found[0].text.upper() if found else ""


def is_query(frame):
    """Whether the engine has yet to execute it: it executes commands at once and answers what they said."""
    return frame._plan.to_proto(frame.sparkSession.client).root.WhichOneof("rel_type") != "local_relation"


def refuse_unreadable(frame):
    """Refuses, before anything is executed, what Arrow's Python side cannot read."""
    for field in frame.schema.fields:
        # Casting them here would cost the rows their order: the engine keeps it only at the outermost ORDER BY.
        if re.search(r"interval (year|month)", field.dataType.simpleString()):
            raise ValueError(f"column `{field.name}` is of type {field.dataType.simpleString()}: cast it to string")


def batches(session, frame):
    """The rows in order as they come, never all at once."""
    client = session.client
    for part in client.to_table_as_iterator(frame._plan.to_proto(client), {}):
        if isinstance(part, pyarrow.Table):
            yield part


def write(tables, output_uri, preview):
    """Writes all rows as one Parquet file, in order, which appears when it is whole."""
    if urllib.parse.urlsplit(output_uri).scheme == "file":
        write_folder(tables, local_path(output_uri), preview)
    else:
        store, path = pyarrow.fs.FileSystem.from_uri(f"{output_uri.rstrip('/')}/{PART}")
        try:
            # Nobody sees an object before it is closed.
            write_parquet(tables, path, preview, store)
        except BaseException:
            # Whatever became of the object, what went wrong before is what there is to say.
            with contextlib.suppress(OSError):
                store.delete_file(path)
            raise


def write_folder(tables, folder, preview):
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write_parquet(tables, partial / PART, preview)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def local_path(output_uri):
    return Path(urllib.request.url2pathname(urllib.parse.urlsplit(output_uri).path))


def write_parquet(tables, path, preview, store=None):
    writer, waiting, waiting_bytes = None, [], 0
    try:
        for table in tables:
            preview.add(table)
            writer = writer or pyarrow.parquet.ParquetWriter(
                path, table.schema, compression="zstd", filesystem=store
            )
            waiting.append(table)
            waiting_bytes += table.nbytes
            if waiting_bytes >= ROW_GROUP_BYTES:
                writer.write_table(pyarrow.concat_tables(waiting))
                waiting, waiting_bytes = [], 0
        if waiting:
            writer.write_table(pyarrow.concat_tables(waiting))
    finally:
        if writer:
            writer.close()
