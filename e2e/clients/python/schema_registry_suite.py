"""confluent-kafka's SchemaRegistryClient and Avro serializers: python schema_registry_suite.py BOOTSTRAP REGISTRY_URL."""
import datetime
import decimal
import json
import sys
import uuid

from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

bootstrap, url = sys.argv[1:3]
client = SchemaRegistryClient({"url": url})


def record(*fields):
    return Schema(json.dumps({"type": "record", "name": "Order", "namespace": "shop", "fields": list(fields)}), "AVRO")


identity = {"name": "id", "type": "long"}
note = {"name": "note", "type": ["null", "string"], "default": None}


def refused(call, status, code):
    try:
        call()
    except SchemaRegistryError as error:
        assert (error.http_status_code, error.error_code) == (status, code), error
        return
    raise AssertionError(f"{status} {code} was expected")


def subjects_and_versions():
    subject = "s-" + uuid.uuid4().hex
    first = client.register_schema(subject, record(identity))
    assert client.register_schema(subject, record(identity)) == first
    second = client.register_schema(subject, record(identity, note))
    assert second > first
    assert client.get_versions(subject) == [1, 2]
    assert subject in client.get_subjects()
    latest = SchemaRegistryClient({"url": url}).get_latest_version(subject)
    assert (latest.version, latest.schema_id) == (2, second)
    assert json.loads(latest.schema.schema_str) == json.loads(record(identity, note).schema_str)
    assert client.get_version(subject, 1).schema_id == first
    assert client.lookup_schema(subject, record(identity)).version == 1
    fresh = SchemaRegistryClient({"url": url})
    assert fresh.get_schema(second).schema_str == latest.schema.schema_str
    assert client.get_schema_versions(first)[0].subject is not None
    assert fresh.get_schema_types() == ["AVRO"]
    refused(lambda: client.get_versions("s-" + uuid.uuid4().hex), 404, 40401)
    refused(lambda: client.get_version(subject, 3), 404, 40402)
    refused(lambda: client.get_schema(2**31 - 1), 404, 40403)
    refused(lambda: client.register_schema(subject, Schema('{"type":"nothing"}', "AVRO")), 422, 42201)
    refused(lambda: client.register_schema(subject, Schema('syntax = "proto3";', "PROTOBUF")), 422, 42201)


def compatibility():
    subject = "s-" + uuid.uuid4().hex
    client.register_schema(subject, record(identity))
    required = record(identity, {"name": "more", "type": "string"})
    assert client.get_compatibility() == "BACKWARD"
    assert not client.test_compatibility(subject, required)
    assert client.test_compatibility(subject, record(identity, note))
    refused(lambda: client.register_schema(subject, required), 409, 409)
    client.set_compatibility(subject, "FORWARD")
    assert client.get_compatibility(subject) == "FORWARD"
    assert client.test_compatibility(subject, required)
    assert client.register_schema(subject, required) > 0
    refused(lambda: client.set_compatibility(subject, "SOMETIMES"), 422, 42203)


def deletion():
    subject = "s-" + uuid.uuid4().hex
    first = client.register_schema(subject, record(identity))
    client.register_schema(subject, record(identity, note))
    assert client.delete_version(subject, 2) == 2
    assert client.get_versions(subject) == [1]
    assert client.delete_subject(subject) == [1]
    refused(lambda: client.get_versions(subject), 404, 40401)
    assert SchemaRegistryClient({"url": url}).get_schema(first) is not None
    assert client.delete_subject(subject, permanent=True) in ([1], [1, 2])
    refused(lambda: client.delete_subject(subject), 404, 40401)


def avro_records():
    """What a serializer registers and writes a deserializer that knows nothing reads, logical types included."""
    topic = "t-" + uuid.uuid4().hex
    schema = record(
        identity,
        note,
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
    )
    serialize = AvroSerializer(client, schema)
    context = SerializationContext(topic, MessageField.VALUE)
    at = datetime.datetime(2026, 3, 4, 5, 6, 7, 8000, datetime.timezone.utc)
    values = [
        {
            "id": i,
            "note": None if i % 2 else f"note {i}",
            "at": at,
            "price": decimal.Decimal(i).scaleb(-2),
            "day": datetime.date(2026, 3, 4),
            "state": "NEW" if i % 3 else "PAID",
        }
        for i in range(100)
    ]
    producer = Producer({"bootstrap.servers": bootstrap})
    for value in values:
        producer.produce(topic, serialize(value, context))
    assert producer.flush(60) == 0
    assert client.get_versions(topic + "-value") == [1]
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    deserialize = AvroDeserializer(SchemaRegistryClient({"url": url}))
    got = []
    while len(got) < len(values):
        message = consumer.poll(30)
        assert message is not None and message.error() is None, message and message.error()
        got.append(deserialize(message.value(), context))
    consumer.close()
    assert sorted(got, key=lambda value: value["id"]) == values


for part in (subjects_and_versions, compatibility, deletion, avro_records):
    part()
    print("ok", part.__name__)
