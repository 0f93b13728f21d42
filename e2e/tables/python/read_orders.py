"""Prints what an engine reads of a table as JSON: read_orders.py ENGINE OPTIONS, with OPTIONS a JSON object of
url, namespace, table and, for tables on S3, s3 {endpoint, region, accessKeyId, secretAccessKey}."""

import decimal
import json
import sys

engine = sys.argv[1]
options = json.loads(sys.argv[2])
s3 = options.get("s3")
COLUMNS = ["id", "customer", "note", "amount"]


def duckdb_connection():
    import importlib

    import duckdb

    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    for name in ["avro", "httpfs", "iceberg"]:
        package = importlib.import_module(f"duckdb_extension_{name}")
        folder = f"{package.__path__[0]}/extensions/v{duckdb.__version__}"
        connection.load_extension(f"{folder}/{name}.duckdb_extension")
    if s3:
        host = s3["endpoint"].removeprefix("http://")
        connection.execute(
            f"""CREATE SECRET (TYPE s3, KEY_ID '{s3["accessKeyId"]}', SECRET '{s3["secretAccessKey"]}',
            REGION '{s3["region"]}', ENDPOINT '{host}', URL_STYLE 'path', USE_SSL false)"""
        )
    connection.execute(
        f"""ATTACH '' AS lake (TYPE iceberg, ENDPOINT '{options["url"]}', AUTHORIZATION_TYPE 'none',
        ACCESS_DELEGATION_MODE 'none')"""
    )
    return connection


def pyiceberg_table():
    from pyiceberg.catalog.rest import RestCatalog

    properties = {"uri": options["url"]}
    if s3:
        properties |= {
            "s3.endpoint": s3["endpoint"],
            "s3.region": s3["region"],
            "s3.access-key-id": s3["accessKeyId"],
            "s3.secret-access-key": s3["secretAccessKey"],
        }
    return RestCatalog("firn", **properties).load_table((options["namespace"], options["table"]))


def plain(value):
    return float(value) if isinstance(value, decimal.Decimal) else value


if engine == "duckdb":
    connection = duckdb_connection()
    name = f'lake."{options["namespace"]}"."{options["table"]}"'
    rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM {name} ORDER BY id").fetchall()
    kafka = connection.execute(
        f"SELECT count(*), min(_kafka.\"offset\"), max(_kafka.\"offset\"), max(epoch_ms(_kafka.timestamp)) FROM {name}"
    ).fetchone()
    few = connection.execute(f"SELECT count(*) FROM {name} WHERE id >= 500 * 1000003").fetchone()[0]
elif engine == "pyiceberg":
    table = pyiceberg_table()
    arrow = table.scan().to_arrow().sort_by("id")
    rows = [[row[name] for name in COLUMNS] for row in arrow.to_pylist()]
    structs = arrow.column("_kafka").to_pylist()
    offsets = [struct["offset"] for struct in structs]
    latest = max(struct["timestamp"].timestamp() for struct in structs)
    kafka = [len(offsets), min(offsets), max(offsets), round(latest * 1000)]
    few = len(table.scan(row_filter=f"id >= {500 * 1000003}").to_arrow())
else:
    raise SystemExit(f"no engine {engine}")

print(json.dumps({"rows": [[plain(value) for value in row] for row in rows], "kafka": list(kafka), "few": few}))
