"""librdkafka by confluent-kafka against a broker: python confluent_suite.py BOOTSTRAP. Ends with 0 when all holds."""
import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType

bootstrap = sys.argv[1]
admin = AdminClient({"bootstrap.servers": bootstrap})


def done(futures):
    return {key: future.result(60) for key, future in futures.items()}


def create(partitions=3, **config):
    topic = "t-" + uuid.uuid4().hex[:12]
    done(admin.create_topics([NewTopic(topic, partitions, 3, config=config)]))
    return topic


def produce(topic, values, **config):
    producer = Producer({"bootstrap.servers": bootstrap, **config})
    reports = []
    for value in values:
        while True:
            try:
                producer.produce(topic, value, key=value[:8], on_delivery=lambda error, message: reports.append((error, message)))
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(60) == 0
    errors = [error for error, _ in reports if error is not None]
    assert not errors, errors
    return [message for _, message in reports]


def consume(topic, count, group=None, **config):
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group or uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 100,
            **config,
        }
    )
    consumer.subscribe([topic])
    messages = []
    try:
        end = time.monotonic() + 120
        while len(messages) < count:
            assert time.monotonic() < end, f"{len(messages)} of {count} records came"
            message = consumer.poll(1)
            if message is None:
                continue
            assert message.error() is None, message.error()
            messages.append(message)
        consumer.commit(asynchronous=False)
        return messages
    finally:
        consumer.close()


def every_codec():
    topic = create()
    sent = []
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        values = [f"{codec}-{i:04}".encode() * (1 + i % 50) for i in range(300)]
        produce(topic, values, **{"compression.type": codec, "linger.ms": 5})
        sent += values
    got = [message.value() for message in consume(topic, len(sent))]
    assert sorted(got) == sorted(sent)


def idempotent_and_ordered():
    topic = create(1)
    values = [b"%06d" % i for i in range(5000)]
    produce(topic, values, **{"enable.idempotence": True, "linger.ms": 1, "batch.num.messages": 50})
    got = [message.value() for message in consume(topic, len(values))]
    assert got == values


def large_messages():
    topic = create(1, **{"max.message.bytes": "20000000"})
    values = [bytes([i]) * 9_000_000 for i in range(3)]
    produce(topic, values, **{"message.max.bytes": 20_000_000})
    got = [message.value() for message in consume(topic, 3, **{"fetch.message.max.bytes": 1000, "receive.message.max.bytes": 100_000_000})]
    assert got == values
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 30_000_000})
    failures = []
    producer.produce(topic, b"x" * 25_000_000, on_delivery=lambda error, _: failures.append(error))
    producer.flush(60)
    assert failures[0].code() == KafkaError.MSG_SIZE_TOO_LARGE, failures


def times():
    topic = create(1)
    now = int(time.time() * 1000)
    producer = Producer({"bootstrap.servers": bootstrap})
    for i in range(100):
        producer.produce(topic, b"v", timestamp=now + i * 10)
    producer.flush(60)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "times"})
    for ms, offset in ((now, 0), (now + 1, 1), (now + 500, 50), (now + 990, 99)):
        (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, ms)], timeout=30)
        assert found.offset == offset, (ms - now, found.offset, offset)
    (beyond,) = consumer.offsets_for_times([TopicPartition(topic, 0, now + 10_000)], timeout=30)
    assert beyond.offset in (-1, 100), beyond
    assert consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30) == (0, 100)
    consumer.close()


def groups_and_offsets():
    topic = create(4)
    values = [b"%05d" % i for i in range(1000)]
    produce(topic, values)
    group = "g-" + uuid.uuid4().hex[:8]
    assert len(consume(topic, len(values), group)) == len(values)
    described = done(admin.describe_consumer_groups([group]))[group]
    assert described.state.name in ("EMPTY", "STABLE"), described.state
    listed = {one.group_id for one in admin.list_consumer_groups().result(30).valid}
    assert group in listed
    produce(topic, [b"more"])
    assert [message.value() for message in consume(topic, 1, group)] == [b"more"]
    done(admin.delete_consumer_groups([group]))


def unknown_offset_resets():
    topic = create(1)
    produce(topic, [b"a", b"b"])
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reset", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, 0, 1000)])
    end = time.monotonic() + 60
    while (message := consumer.poll(1)) is None or message.error():
        assert time.monotonic() < end
    assert message.value() == b"a"
    consumer.close()


def topics():
    topic = create(2)
    try:
        done(admin.create_topics([NewTopic(topic, 1)]))
        raise AssertionError("a topic was created twice")
    except KafkaException as error:
        assert error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    done(admin.create_partitions([NewPartitions(topic, 5)]))
    metadata = admin.list_topics(topic, timeout=30)
    assert len(metadata.topics[topic].partitions) == 5
    done(admin.delete_topics([topic]))
    end = time.monotonic() + 60
    while topic in admin.list_topics(timeout=30).topics:
        assert time.monotonic() < end
        time.sleep(0.1)


def configs():
    topic = create(1, **{"retention.ms": "3600000"})
    resource = ConfigResource(ResourceType.TOPIC, topic)
    described = done(admin.describe_configs([resource]))[resource]
    assert described["retention.ms"].value == "3600000"
    assert described["cleanup.policy"].value == "delete"
    for name, value in (("no.such.config", "1"), ("retention.ms", "soon")):
        try:
            done(admin.create_topics([NewTopic("bad-" + uuid.uuid4().hex[:6], 1, config={name: value})]))
            raise AssertionError(f"{name}={value} was accepted")
        except KafkaException as error:
            assert error.args[0].code() == KafkaError.INVALID_CONFIG, error


suites = [every_codec, idempotent_and_ordered, large_messages, times, groups_and_offsets, unknown_offset_resets, topics, configs]
for suite in suites:
    began = time.monotonic()
    suite()
    print(f"ok {suite.__name__} {time.monotonic() - began:.1f} s", flush=True)
