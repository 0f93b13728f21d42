"""confluent-kafka's registry client with what it knows of authentication: registry_authentication.py URL, and a JSON object of
token, user and password on standard input."""

import json
import sys

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

url = sys.argv[1]
secrets = json.load(sys.stdin)
schema = Schema(json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}), "AVRO")


def basic(user, password):
    return {"url": url, "basic.auth.user.info": f"{user}:{password}"}


def bearer(token):
    return {
        "url": url,
        "bearer.auth.credentials.source": "STATIC_TOKEN",
        "bearer.auth.token": token,
        "bearer.auth.logical.cluster": "none",
        "bearer.auth.identity.pool.id": "none",
    }


for name, settings in {
    "password": basic(secrets["user"], secrets["password"]),
    "token as password": basic(secrets["tokenName"], secrets["token"]),
    "token": bearer(secrets["token"]),
}.items():
    client = SchemaRegistryClient(settings)
    write = AvroSerializer(client, schema.schema_str)
    assert write({"a": 1}, SerializationContext("orders", MessageField.VALUE))[:5] == b"\0\0\0\0\1"
    assert client.get_subjects() == ["orders-value"]
    print("ok", name)

for name, settings in {
    "nothing": {"url": url},
    "wrong password": basic(secrets["user"], "x"),
    "wrong token": bearer("x" * 43),
}.items():
    try:
        SchemaRegistryClient(settings).register_schema("mine", schema)
    except SchemaRegistryError as error:
        assert (error.http_status_code, error.error_code) == (401, 40101), error
    else:
        raise AssertionError(f"{name} was let in")
    print("ok", name)
