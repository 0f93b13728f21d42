"""kafka-python against a broker: python kafka_python_suite.py BOOTSTRAP. Ends with 0 when all holds."""
import sys
import time
import uuid

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError

bootstrap = sys.argv[1]


def create(partitions=3):
    topic = "p-" + uuid.uuid4().hex[:12]
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, partitions, 1)])
    admin.close()
    return topic


def every_codec():
    topic = create()
    sent = []
    for codec in (None, "gzip", "lz4", "snappy", "zstd"):
        try:
            producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=codec, linger_ms=5, acks="all")
        except RuntimeError as error:
            # A codec whose library is not there: kafka-python says so.
            assert "Libraries for" in str(error), error
            print(f"without {codec}: {error}")
            continue
        values = [f"{codec}-{i:04}".encode() * (1 + i % 30) for i in range(200)]
        futures = [producer.send(topic, value) for value in values]
        for future in futures:
            future.get(60)
        producer.close()
        sent += values
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id="py-" + topic, auto_offset_reset="earliest", consumer_timeout_ms=60000
    )
    got = []
    for message in consumer:
        got.append(message.value)
        if len(got) == len(sent):
            break
    consumer.commit()
    consumer.close()
    assert sorted(got) == sorted(sent), (len(got), len(sent))


def offsets_and_times():
    topic = create(1)
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    now = int(time.time() * 1000)
    for i in range(50):
        producer.send(topic, b"v", timestamp_ms=now + i * 10)
    producer.flush(60)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    partition = TopicPartition(topic, 0)
    assert consumer.beginning_offsets([partition])[partition] == 0
    assert consumer.end_offsets([partition])[partition] == 50
    assert consumer.offsets_for_times({partition: now + 95})[partition].offset == 10
    consumer.close()
    producer.close()


def errors():
    topic = create(1)
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        response = admin.create_topics([NewTopic(topic, 1, 1)])
        raise AssertionError(f"a topic was created twice: {response}")
    except TopicAlreadyExistsError:
        pass
    assert topic in admin.list_topics()
    admin.delete_topics([topic])
    admin.close()


for suite in (every_codec, offsets_and_times, errors):
    began = time.monotonic()
    suite()
    print(f"ok {suite.__name__} {time.monotonic() - began:.1f} s", flush=True)
