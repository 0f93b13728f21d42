"""
Reads Parquet files of row files with DuckDB and pyarrow, and says on standard output, as JSON, what they found.

Usage: python read_parquet.py FILE ICEBERG_SCHEMA_JSON

A row is turned into one line of text, its columns in the order of the file and every value in a form that loses nothing
(bits of floats, micros of times, hex of bytes); the checksum is the sum of the lines' hashes, whatever their order.
"""

import datetime
import decimal
import hashlib
import json
import math
import struct
import sys
import uuid

import duckdb
import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet

EPOCH = datetime.datetime(1970, 1, 1)


def text(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack(">d", value).hex()
    if isinstance(value, bytes):
        return "x" + value.hex()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=True)
    if isinstance(value, uuid.UUID):
        return json.dumps(str(value))
    if isinstance(value, decimal.Decimal):
        # The digits without a point: the scale is the column's. Arithmetic would round to 28 digits.
        sign, digits, _ = value.as_tuple()
        return str((-1 if sign else 1) * int("".join(map(str, digits))))
    if isinstance(value, datetime.datetime):
        return str((value.replace(tzinfo=None) - EPOCH) // datetime.timedelta(microseconds=1))
    if isinstance(value, datetime.date):
        return str((value - EPOCH.date()).days)
    if isinstance(value, datetime.time):
        return str(((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond)
    if isinstance(value, dict):
        return "{" + ",".join(text(part) for part in value.values()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(text(part) for part in value) + "]"
    raise TypeError(type(value))


def plain(table):
    """pyarrow's table with instants of UTC as such without a zone, so that no local zone gets in."""
    for i, field in enumerate(table.schema):
        if pyarrow.types.is_timestamp(field.type) and field.type.tz is not None:
            table = table.set_column(i, field.name, table.column(i).cast(pyarrow.timestamp("us", "UTC")))
    return table


def summary(table):
    checksum = 0
    for row in plain(table).to_pylist():
        line = "|".join(text(value) for value in row.values())
        checksum += int.from_bytes(hashlib.sha256(line.encode()).digest()[:8], "big")
    return {"rows": table.num_rows, "checksum": str(checksum % 2**64)}


def pyarrow_report(path):
    metadata = pyarrow.parquet.read_metadata(path)
    chunks = [
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]
    bad_statistics = []
    table = pyarrow.parquet.ParquetFile(path)
    for group in range(metadata.num_row_groups):
        read = table.read_row_group(group)
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            if "." in chunk.path_in_schema:
                continue
            values = read.column(chunk.path_in_schema)
            if chunk.statistics.null_count != values.null_count:
                bad_statistics.append([group, chunk.path_in_schema, "null_count"])
            # Booleans and uuids have no min_max in pyarrow; NaN would be one.
            if not chunk.statistics.has_min_max or pyarrow.types.is_boolean(values.type):
                continue
            if isinstance(values.type, pyarrow.BaseExtensionType):
                continue
            if pyarrow.types.is_floating(values.type):
                values = values.filter(pyarrow.compute.invert(pyarrow.compute.is_nan(values)))
            found = pyarrow.compute.min_max(values).as_py()
            low, high = chunk.statistics.min, chunk.statistics.max
            exact = not pyarrow.types.is_large_binary(values.type) and not is_text(values.type)
            if low > found["min"] or high < found["max"] or exact and (low != found["min"] or high != found["max"]):
                bad_statistics.append([group, chunk.path_in_schema, str(low), str(high), str(found)])
    return {
        **summary(pyarrow.parquet.read_table(path, page_checksum_verification=True)),
        "createdBy": metadata.created_by,
        "rowGroups": metadata.num_row_groups,
        "offsetIndexes": all(chunk.has_offset_index for chunk in chunks),
        "withoutColumnIndex": sorted({chunk.path_in_schema for chunk in chunks if not chunk.has_column_index}),
        "badStatistics": bad_statistics,
    }


def is_text(kind):
    return pyarrow.types.is_string(kind) or pyarrow.types.is_binary(kind)


def duckdb_report(path, table):
    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    read = connection.execute("SELECT * FROM read_parquet(?)", [path]).to_arrow_table()
    wrong_counts = []
    for name in table.column_names:
        kind = table.column(name).type
        if pyarrow.types.is_nested(kind) or isinstance(kind, pyarrow.BaseExtensionType):
            continue
        if pyarrow.types.is_floating(kind):
            continue
        counts = {}
        for value in table.column(name).to_pylist():
            counts[value] = counts.get(value, 0) + 1
        # By their statistics row groups are passed over that do not hold the value.
        for value in list(counts)[:8]:
            if value is None:
                query, given = f'"{name}" IS NULL', [path]
            else:
                query, given = f'"{name}" = ?', [path, value]
            found = connection.execute(f"SELECT count(*) FROM read_parquet(?) WHERE {query}", given).fetchone()[0]
            if found != counts[value]:
                wrong_counts.append([name, text(value), found, counts[value]])
    ids = connection.execute("SELECT name, field_id FROM parquet_schema(?)", [path]).fetchall()
    return {**summary(read), "fieldIds": [[name, number] for name, number in ids], "wrongCounts": wrong_counts}


def iceberg_report(path, schema_json):
    """What pyiceberg would have said of the file, had it written it."""
    from pyiceberg.io.pyarrow import (
        compute_statistics_plan,
        data_file_statistics_from_parquet_metadata,
        parquet_path_to_id_mapping,
    )
    from pyiceberg.schema import Schema

    schema = Schema.model_validate_json(schema_json)
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=pyarrow.parquet.read_metadata(path),
        stats_columns=compute_statistics_plan(schema, {}),
        parquet_column_mapping=parquet_path_to_id_mapping(schema),
    ).to_serialized_dict()
    return {
        name: {str(key): value.hex() if isinstance(value, bytes) else value for key, value in found.items()}
        if isinstance(found, dict)
        else found
        for name, found in statistics.items()
    }


def main():
    path, schema_json = sys.argv[1:]
    table = pyarrow.parquet.read_table(path)
    report = {
        "pyarrow": pyarrow_report(path),
        "duckdb": duckdb_report(path, table),
        "iceberg": iceberg_report(path, schema_json),
    }
    print(json.dumps(report))


main()
