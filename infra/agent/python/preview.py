"""The first rows of a result, as JSON."""

import base64
import datetime
import decimal
import json
import math

import numpy
import pyarrow

ROWS = 100
CELL_CHARACTERS = 1024
BYTES = 64 * 1024
# Leaves room for rows.
COLUMNS_BYTES = BYTES // 2
# Integers up to here are the same in every JSON reader.
LARGEST_EXACT_INTEGER = 2**53 - 1


class Preview:
    """Takes rows as they come and keeps as many of the first ones as a preview may show."""

    def __init__(self, columns):
        self.columns, size = [], 0
        for name, data_type in columns:
            column = {"name": cut(name)[0], "type": cut(data_type)[0]}
            size += json_bytes(column) + 1
            if size > COLUMNS_BYTES:
                break
            self.columns.append(column)
        self.rows = []
        self.truncated = len(self.columns) < len(columns)

    def add(self, table):
        """Takes the next rows."""
        first = table.slice(0, ROWS - len(self.rows))
        if first.num_rows < table.num_rows:
            self.truncated = True
        columns = [first.column(position) for position in range(len(self.columns))]
        for row in range(first.num_rows):
            self.rows.append([self.cell(column[row]) for column in columns])

    def cell(self, scalar):
        value = json_value(scalar)
        if isinstance(value, (list, dict)):
            text = json_text(value)
            if len(text) <= CELL_CHARACTERS:
                return value
            value = text
        if isinstance(value, str):
            value, was_cut = cut(value)
            self.truncated |= was_cut
        return value

    def as_json(self):
        """The preview as the control plane takes it."""
        room = BYTES - json_bytes({"columns": self.columns, "rows": [], "truncated": False})
        for position, row in enumerate(self.rows):
            room -= json_bytes(row) + 1
            if room < 0:
                self.rows, self.truncated = self.rows[:position], True
                break
        return {"columns": self.columns, "rows": self.rows, "truncated": self.truncated}


def cut(text):
    return text[:CELL_CHARACTERS], len(text) > CELL_CHARACTERS


def json_text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_bytes(value):
    return len(json_text(value).encode())


def json_value(scalar):
    """A value as JSON; as text where JSON would lose something."""
    if not scalar.is_valid:
        return None
    kind = scalar.type
    if pyarrow.types.is_map(kind):
        return {as_key(key): python_value(value) for key, value in scalar.as_py()}
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        return [json_value(item) for item in scalar.values]
    if pyarrow.types.is_struct(kind):
        return {field.name: json_value(scalar[position]) for position, field in enumerate(kind)}
    if pyarrow.types.is_float32(kind):
        # The shortest text that is this number, not its 17 digits as a double.
        return python_value(float(str(numpy.float32(scalar.as_py()))))
    try:
        return python_value(scalar.as_py())
    except (ValueError, OverflowError):
        # Moments that Python has no type for, such as those after the year 9999.
        return str(scalar.cast(pyarrow.string()))


def as_key(value):
    value = python_value(value)
    return value if isinstance(value, str) else json_text(value)


def python_value(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_EXACT_INTEGER else str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {as_key(key): python_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [python_value(item) for item in value]
    return str(value)
