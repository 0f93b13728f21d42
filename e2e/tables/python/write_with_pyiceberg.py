"""A table that pyiceberg makes, fills, reads, evolves and drops through the catalog: each step prints a line `ok …`."""

import json
import sys

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.schema import Schema
from pyiceberg.types import DoubleType, LongType, NestedField, StringType

options = json.loads(sys.argv[1])
properties = {"uri": options["url"]}
if s3 := options.get("s3"):
    properties |= {
        "s3.endpoint": s3["endpoint"],
        "s3.region": s3["region"],
        "s3.access-key-id": s3["accessKeyId"],
        "s3.secret-access-key": s3["secretAccessKey"],
    }
catalog = RestCatalog("firn", **properties)
name = ("py", "Readings of 2026")


def ok(step):
    print("ok", step, flush=True)


catalog.create_namespace_if_not_exists("py")
assert ("py",) in catalog.list_namespaces()
schema = Schema(
    NestedField(11, "id", LongType(), required=True),
    NestedField(12, "value", DoubleType(), required=False),
    identifier_field_ids=[11],
)
table = catalog.create_table(name, schema)
assert [field.field_id for field in table.schema().fields] == [1, 2], table.schema()
assert table.schema().identifier_field_ids == [1]
assert catalog.table_exists(name)
try:
    catalog.create_table(name, schema)
    raise AssertionError("created twice")
except TableAlreadyExistsError:
    ok("create")


def rows(first, count):
    ids = pa.array(range(first, first + count), pa.int64())
    columns = {"id": ids, "value": pa.array([i / 4 for i in range(first, first + count)], pa.float64())}
    return pa.table(columns, pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("value", pa.float64())]))


table.append(rows(0, 100))
table.append(rows(100, 50))
table = catalog.load_table(name)
assert len(table.history()) == 2
assert sorted(table.scan().to_arrow()["id"].to_pylist()) == list(range(150))
ok("append")

# pyiceberg repeats what met a conflict on the new base, so a writer with an old view loses nothing and undoes nothing.
stale = catalog.load_table(name)
table.append(rows(150, 1))
stale.append(rows(151, 1))
table = catalog.load_table(name)
assert sorted(table.scan().to_arrow()["id"].to_pylist()) == list(range(152))
# With a stale view and no repetition it is told that the commit failed.
with table.transaction() as transaction:
    transaction.set_properties({"commit.retry.num-retries": "0"})
stale = catalog.load_table(name)
table.append(rows(152, 1))
try:
    stale.append(rows(1000, 1))
    raise AssertionError("a commit on a base that had moved was applied")
except CommitFailedException:
    ok("conflict")

with table.update_schema() as update:
    update.add_column("note", StringType())
    update.rename_column("value", "reading")
table = catalog.load_table(name)
assert [field.name for field in table.schema().fields] == ["id", "reading", "note"]
assert table.schema().find_field("note").field_id == 3
assert table.scan().to_arrow().num_rows == 153
ok("evolve")

with table.transaction() as transaction:
    transaction.set_properties({"owner": "me"})
assert catalog.load_table(name).properties["owner"] == "me"
with table.manage_snapshots() as snapshots:
    snapshots.create_tag(table.history()[0].snapshot_id, "first")
table = catalog.load_table(name)
assert table.scan(snapshot_id=table.snapshot_by_name("first").snapshot_id).to_arrow().num_rows == 100
ok("properties and refs")

table.delete("id < 10")
table = catalog.load_table(name)
assert table.scan().to_arrow().num_rows == 143
ok("delete")

with catalog.create_table_transaction(("py", "staged"), schema) as transaction:
    transaction.set_properties({"made": "at once"})
assert catalog.load_table(("py", "staged")).properties["made"] == "at once"
ok("staged create")

assert catalog.list_tables("py") == [("py", "Readings of 2026"), ("py", "staged")]
catalog.drop_table(name)
catalog.purge_table(("py", "staged"))
try:
    catalog.load_table(name)
    raise AssertionError("loaded after drop")
except NoSuchTableError:
    pass
catalog.drop_namespace("py")
ok("drop")
