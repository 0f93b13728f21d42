"""
Producers and consumers of librdkafka that write down what they did, one JSON object a line:
    python workload.py BOOTSTRAP TOPIC PARTITIONS defaults|impatient

`impatient`: with time-outs that notice sooner that a broker is gone. `STOP` on standard input ends the producers; then
everything is read once more from the beginning and written down too.
"""
import json
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

bootstrap, topic, partitions = sys.argv[1], sys.argv[2], int(sys.argv[3])
common = {"bootstrap.servers": bootstrap}
if sys.argv[4] == "impatient":
    common |= {"socket.timeout.ms": 4000, "reconnect.backoff.max.ms": 1000}
output = threading.Lock()
stopping = threading.Event()
finished = threading.Event()


def tell(what, **fields):
    with output:
        print(json.dumps({"what": what, **fields}), flush=True)


def produce(name, idempotent):
    """Values are NAME-NUMBER, ascending; each goes to one partition. Failed deliveries are told: they may be there or not."""
    producer = Producer(
        {
            **common,
            "client.id": name,
            "enable.idempotence": idempotent,
            "acks": "all",
        }
    )

    def delivered(error, message):
        fields = {"producer": name, "value": message.value().decode(), "partition": message.partition()}
        if error is None:
            tell("acked", offset=message.offset(), **fields)
        else:
            tell("failed", error=error.name(), **fields)

    number = 0
    while not stopping.is_set():
        for _ in range(10):
            value = f"{name}-{number:08}".encode()
            producer.produce(topic, value, partition=number % partitions, on_delivery=delivered)
            number += 1
        producer.poll(0)
        time.sleep(0.02)
    left = producer.flush(280)
    tell("produced", producer=name, count=number, left=left)


def consume(name):
    """A member of a group. A position that is invalid is an error: nothing may send a consumer elsewhere."""
    consumer = Consumer(
        {
            **common,
            "client.id": name,
            "group.id": "history",
            "auto.offset.reset": "error",
            "enable.auto.commit": False,
            "session.timeout.ms": 20000,
            "fetch.wait.max.ms": 100,
            "partition.assignment.strategy": "cooperative-sticky",
        }
    )
    consumer.subscribe([topic])
    last_commit = time.monotonic()
    while not finished.is_set():
        message = consumer.poll(0.2)
        if message is not None:
            if message.error() is None:
                tell("read", consumer=name, partition=message.partition(), offset=message.offset(), value=message.value().decode())
            elif message.error().code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
                tell("invalid", consumer=name, error=str(message.error()))
        if time.monotonic() - last_commit > 0.3:
            last_commit = time.monotonic()
            try:
                for one in consumer.commit(asynchronous=False) or []:
                    if one.error is None:
                        tell("committed", consumer=name, partition=one.partition, offset=one.offset)
            except KafkaException as error:
                code = error.args[0].code()
                if code == KafkaError._NO_OFFSET:
                    continue
                tell("uncommitted", consumer=name, error=error.args[0].name())
    consumer.close()


def watch_commits():
    """What OffsetFetch answers, again and again."""
    consumer = Consumer({**common, "group.id": "history"})
    wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
    while not finished.is_set():
        try:
            # Asked for before the answer: what was acknowledged before has to be in it.
            tell("fetching")
            for one in consumer.committed(wanted, timeout=10):
                tell("fetched", partition=one.partition, offset=one.offset)
        except KafkaException as error:
            tell("unfetched", error=error.args[0].name())
        time.sleep(0.2)
    consumer.close()


def commit_start():
    """Gives the group a position in every partition, so that no member ever needs a default."""
    consumer = Consumer({**common, "group.id": "history", "enable.auto.commit": False})
    while True:
        try:
            consumer.commit(offsets=[TopicPartition(topic, partition, 0) for partition in range(partitions)], asynchronous=False)
            break
        except KafkaException:
            time.sleep(0.2)
    consumer.close()


def read_everything():
    consumer = Consumer({**common, "group.id": "final", "enable.auto.commit": False, "auto.offset.reset": "error"})
    ends = {}
    for partition in range(partitions):
        while partition not in ends:
            try:
                _, ends[partition] = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
            except KafkaException:
                time.sleep(0.2)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    positions = {partition: 0 for partition in range(partitions)}
    while any(positions[partition] < ends[partition] for partition in range(partitions)):
        message = consumer.poll(1)
        if message is None or message.error() is not None:
            continue
        positions[message.partition()] = message.offset() + 1
        tell("final", partition=message.partition(), offset=message.offset(), value=message.value().decode())
    consumer.close()


commit_start()
tell("started")
producers = [threading.Thread(target=produce, args=(f"p{i}", True)) for i in range(2)]
consumers = [threading.Thread(target=consume, args=(f"c{i}",)) for i in range(2)] + [threading.Thread(target=watch_commits)]
for thread in producers + consumers:
    thread.start()
for line in sys.stdin:
    if line.strip() == "STOP":
        break
stopping.set()
for thread in producers:
    thread.join()
finished.set()
for thread in consumers:
    thread.join()
read_everything()
tell("done")
