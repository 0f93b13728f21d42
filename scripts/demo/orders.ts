import avsc from 'avsc';
import { Kafka, logLevel } from 'kafkajs';
import type { Producer } from 'kafkajs';

export const topic = 'orders';
const partitions = 3;

export const schema = {
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'order_id', type: 'long' },
    { name: 'customer', type: 'string' },
    { name: 'country', type: { type: 'enum', name: 'Country', symbols: ['AT', 'CH', 'DE', 'FR', 'JP'] } },
    { name: 'amount', type: 'double' },
    { name: 'coupon', type: ['null', 'string'], default: null },
    { name: 'placed_at', type: { type: 'long', logicalType: 'timestamp-micros' } },
  ],
} as const;

const countries = ['AT', 'CH', 'DE', 'FR', 'JP'] as const;
const batch = 200;

/** A stock client: kafkajs, and avsc with the framing of Confluent's serializers. */
export class OrderProducer {
  readonly #producer: Producer;
  readonly #admin;
  readonly #type = avsc.Type.forSchema(structuredClone(schema) as unknown as avsc.Schema);
  #schemaId = 0;
  /** Orders that the broker has acknowledged. */
  acknowledged = 0;
  /** Their amounts, in cents: what a query over the table must come to. */
  cents = 0;

  constructor(port: number) {
    const kafka = new Kafka({
      clientId: 'demo',
      brokers: [`127.0.0.1:${port}`],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 100 },
    });
    this.#admin = kafka.admin();
    this.#producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  }

  /** Registers the schema and creates the topic. All that makes it a table is one config; the other one is for the impatient. */
  async begin(registry: string): Promise<void> {
    const answer = await fetch(`${registry}/subjects/${topic}-value/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema: JSON.stringify(schema) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the registry refused the schema: ${text}`);
    this.#schemaId = (JSON.parse(text) as { id: number }).id;
    await this.#admin.connect();
    const configEntries = [
      { name: 'table.topic.enable', value: 'true' },
      { name: 'table.topic.commit.interval.ms', value: '1000' },
    ];
    await this.#admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }] });
    await this.#producer.connect();
  }

  /** Produces some orders; resolves when they are acknowledged. */
  async produce(): Promise<void> {
    const first = this.acknowledged;
    const orders = Array.from({ length: batch }, (_, at) => orderOf(first + at));
    await this.#producer.send({
      topic,
      acks: -1,
      messages: orders.map((order) => ({ key: order.customer, value: this.#framed(order) })),
    });
    this.acknowledged += batch;
    for (const { amount } of orders) this.cents += Math.round(amount * 100);
  }

  async end(): Promise<void> {
    await this.#producer.disconnect();
    await this.#admin.disconnect();
  }

  #framed(order: ReturnType<typeof orderOf>): Buffer {
    const frame = Buffer.alloc(5);
    frame.writeInt32BE(this.#schemaId, 1);
    return Buffer.concat([frame, this.#type.toBuffer(order)]);
  }
}

function orderOf(number: number) {
  return {
    order_id: number,
    customer: `customer-${(number * 31) % 997}`,
    country: countries[(number * 7) % countries.length] ?? 'AT',
    amount: ((number * 7919) % 100_000) / 100,
    coupon: number % 10 === 0 ? `spring-${number % 7}` : null,
    placed_at: Date.now() * 1000,
  };
}
