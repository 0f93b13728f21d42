"""Groups with librdkafka in both protocols: python groups_suite.py BOOTSTRAP. Ends with 0 when all holds."""
import sys
import threading
import time
import uuid

from confluent_kafka import ConsumerGroupState, ConsumerGroupType, Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

bootstrap = sys.argv[1]
admin = AdminClient({"bootstrap.servers": bootstrap})


def create(name=None, partitions=6):
    topic = name or "g-" + uuid.uuid4().hex[:12]
    for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        future.result(60)
    return topic


def produce(topic, first, count):
    producer = Producer({"bootstrap.servers": bootstrap})
    for i in range(first, first + count):
        producer.produce(topic, str(i).encode(), key=str(i).encode())
    assert producer.flush(60) == 0
    return {str(i).encode() for i in range(first, first + count)}


class Member:
    """A consumer in a thread of its own, until it is stopped."""

    def __init__(self, group, topic, protocol, **config):
        settings = {"session.timeout.ms": 10000, "heartbeat.interval.ms": 500} if protocol == "classic" else {}
        self.seen = []
        self.errors = []
        self.partitions = []
        self._stop = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "group.protocol": protocol,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
                **settings,
                **config,
            }
        )
        self._consumer.subscribe([topic])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            message = self._consumer.poll(0.1)
            # Asked in this thread: librdkafka answers no other one while this one polls.
            self.partitions = sorted((p.topic, p.partition) for p in self._consumer.assignment())
            if message is None:
                continue
            if message.error() is not None:
                self.errors.append(message.error())
                continue
            self.seen.append(message.value())
            self._consumer.commit(message, asynchronous=False)
        self._consumer.close()

    def stop(self):
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


def wait(what, condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def shared(members, partitions):
    """Every partition belongs to exactly one of them, and each has one."""
    owned = [p for member in members for p in member.partitions]
    return sorted(owned) == sorted(partitions) and all(member.partitions for member in members)


def consumed(members, values):
    return values <= {value for member in members for value in member.seen}


def group_of(group):
    return admin.describe_consumer_groups([group])[group].result(30)


def grows_and_shrinks(protocol):
    topic = create()
    partitions = [(topic, i) for i in range(6)]
    group = uuid.uuid4().hex
    sent = produce(topic, 0, 300)
    members = [Member(group, topic, protocol)]
    wait("the first one has everything", lambda: shared(members, partitions))
    members += [Member(group, topic, protocol) for _ in range(2)]
    wait("three share", lambda: shared(members, partitions))
    sent |= produce(topic, 300, 300)
    wait("all is consumed", lambda: consumed(members, sent))
    described = group_of(group)
    assert described.state == ConsumerGroupState.STABLE, described.state
    expected = ConsumerGroupType.CLASSIC if protocol == "classic" else ConsumerGroupType.CONSUMER
    assert described.type == expected, described.type
    gone = members.pop(0)
    gone.stop()
    wait("two share", lambda: shared(members, partitions))
    sent |= produce(topic, 600, 300)
    wait("all is consumed", lambda: consumed([gone, *members], sent))
    for member in members:
        member.stop()
    everybody = [gone, *members]
    # Each is committed before the next is taken, so nothing comes twice when partitions move.
    assert sum(len(member.seen) for member in everybody) == 900, [len(member.seen) for member in everybody]
    assert not any(member.errors for member in everybody)


def classic_group():
    grows_and_shrinks("classic")


def consumer_group():
    grows_and_shrinks("consumer")


def static_member_restarts():
    topic = create()
    partitions = [(topic, i) for i in range(6)]
    for protocol in ("classic", "consumer"):
        group = uuid.uuid4().hex
        first = Member(group, topic, protocol, **{"group.instance.id": "one"})
        second = Member(group, topic, protocol, **{"group.instance.id": "two"})
        wait("both share", lambda: shared([first, second], partitions))
        before, others = first.partitions, second.partitions
        first.stop()
        again = Member(group, topic, protocol, **{"group.instance.id": "one"})
        wait("it has what it had", lambda: again.partitions == before)
        assert second.partitions == others
        again.stop()
        second.stop()


def regular_expression():
    prefix = "rx-" + uuid.uuid4().hex[:8]
    first = create(f"{prefix}-a", 2)
    create(f"other-{prefix}", 1)
    member = Member(uuid.uuid4().hex, f"^{prefix}-[ab]$", "consumer")
    wait("what matches", lambda: member.partitions == [(first, 0), (first, 1)])
    second = create(f"{prefix}-b", 1)
    wait("what comes", lambda: member.partitions == [(first, 0), (first, 1), (second, 0)])
    member.stop()


def online_migration():
    topic = create()
    partitions = [(topic, i) for i in range(6)]
    group = uuid.uuid4().hex
    classic = [Member(group, topic, "classic") for _ in range(2)]
    wait("classic members share", lambda: shared(classic, partitions))
    sent = produce(topic, 0, 300)
    wait("all is consumed", lambda: consumed(classic, sent))
    modern = [Member(group, topic, "consumer")]
    wait("old and new share", lambda: shared([*classic, *modern], partitions))
    assert group_of(group).type == ConsumerGroupType.CONSUMER
    sent |= produce(topic, 300, 300)
    wait("all is consumed", lambda: consumed([*classic, *modern], sent))
    classic[0].stop()
    modern.append(Member(group, topic, "consumer"))
    wait("old and new share", lambda: shared([classic[1], *modern], partitions))
    for member in modern:
        member.stop()
    wait("the old one has everything", lambda: shared([classic[1]], partitions))
    assert group_of(group).type == ConsumerGroupType.CLASSIC
    sent |= produce(topic, 600, 300)
    wait("all is consumed", lambda: consumed([*classic, *modern], sent))
    classic[1].stop()


suites = [classic_group, consumer_group, static_member_restarts, regular_expression, online_migration]
for suite in suites:
    began = time.monotonic()
    suite()
    print(f"ok {suite.__name__} {time.monotonic() - began:.1f} s", flush=True)
