"""pyiceberg and DuckDB with what they know of authentication: catalog_authentication.py URL, and a JSON object of token, user
and password on standard input."""

import importlib
import json
import sys

import duckdb
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import OAuthError, UnauthorizedError
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

url = sys.argv[1]
secrets = json.load(sys.stdin)
credential = f"{secrets['tokenName']}:{secrets['token']}"


def basic(user, password):
    return {"auth": {"type": "basic", "basic": {"username": user, "password": password}}}


for name, properties in {
    "token": {"token": secrets["token"]},
    "credential": {"credential": credential},
    "credential without a name": {"credential": secrets["token"]},
    "password": basic(secrets["user"], secrets["password"]),
}.items():
    catalog = RestCatalog("firn", uri=url, **properties)
    space = name.replace(" ", "_")
    catalog.create_namespace(space)
    table = catalog.create_table((space, "t"), Schema(NestedField(1, "id", LongType(), required=True)))
    with table.transaction() as transaction:
        transaction.set_properties(changed="yes")
    assert catalog.load_table((space, "t")).properties["changed"] == "yes"
    print("ok pyiceberg", name)

for name, properties, expected in [
    ("nothing", {}, UnauthorizedError),
    ("wrong token", {"token": "x" * 43}, UnauthorizedError),
    ("wrong credential", {"credential": f"other:{secrets['token']}"}, OAuthError),
    ("wrong password", basic(secrets["user"], "x"), UnauthorizedError),
]:
    try:
        RestCatalog("firn", uri=url, **properties).list_namespaces()
    except expected:
        print("ok pyiceberg", name)
    else:
        raise AssertionError(f"{name} was let in")

connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
connection.execute("SET autoinstall_known_extensions = false")
connection.execute("SET autoload_known_extensions = false")
for extension in ["avro", "httpfs", "iceberg"]:
    package = importlib.import_module(f"duckdb_extension_{extension}")
    connection.load_extension(
        f"{package.__path__[0]}/extensions/v{duckdb.__version__}/{extension}.duckdb_extension"
    )
for name, secret in {
    "token": f"TOKEN '{secrets['token']}'",
    "client": f"CLIENT_ID '{secrets['tokenName']}', CLIENT_SECRET '{secrets['token']}', "
    f"OAUTH2_SERVER_URI '{url}/v1/oauth/tokens'",
}.items():
    connection.execute(f"CREATE SECRET by_{name} (TYPE iceberg, {secret})")
    connection.execute(
        f"""ATTACH '' AS lake_{name} (TYPE iceberg, ENDPOINT '{url}', SECRET by_{name}, ACCESS_DELEGATION_MODE 'none')"""
    )
    assert connection.execute(f'SELECT count(*) FROM lake_{name}."token"."t"').fetchall() == [(0,)]
    print("ok duckdb", name)
