import { textTable } from '../text-table.ts';

/** Where a broker that `firn up` has started can be reached. */
export interface BrokerReady {
  readonly id: number;
  readonly zone: string;
  readonly listeners: readonly { readonly name: string; readonly advertised: string }[];
  /** `host:port` for other brokers. */
  readonly internal: string;
  readonly store: string;
  readonly adminUrl: string;
  readonly apiUrl: string;
  /** What the api port offers, by name, such as `registry`: paths. */
  readonly apiPaths: Readonly<Record<string, string>>;
  readonly pid: number;
}

/** What `firn up` prints of one broker. */
export function oneBrokerText(broker: BrokerReady): string {
  const { id, listeners, adminUrl } = broker;
  return [
    `broker ${id} is ready`,
    ...listeners.map(({ name, advertised }) => `  ${bootstrapLabel(name, listeners.length)} ${advertised}`),
    `  store      ${broker.store}`,
    `  admin      ${adminUrl}  (/metrics /healthz /readyz /status)`,
    ...apiLines(broker),
    '',
  ].join('\n');
}

/** What `firn up` prints of several. */
export function brokersText(brokers: readonly BrokerReady[]): string {
  const [first] = brokers;
  if (first === undefined) return '';
  const addresses = (name: string): string =>
    brokers
      .flatMap(({ listeners }) => listeners.filter((listener) => listener.name === name))
      .map(({ advertised }) => advertised)
      .join(',');
  const table = textTable(
    ['BROKER', 'ZONE', 'ADDRESS', 'ADMIN', 'API', 'PID'],
    brokers.map(({ id, zone, listeners, adminUrl, apiUrl, pid }) => [
      id,
      zone,
      listeners[0]?.advertised,
      adminUrl,
      apiUrl,
      pid,
    ]),
  );
  return [
    `${brokers.length} brokers are ready`,
    ...first.listeners.map(
      ({ name }) => `  ${bootstrapLabel(name, first.listeners.length)} ${addresses(name)}`,
    ),
    `  store      ${first.store}`,
    `  admin      ${brokers.map(({ adminUrl }) => adminUrl).join(',')}`,
    ...apiLines(first),
    '',
    table,
  ].join('\n');
}

function apiLines({ apiUrl, apiPaths }: BrokerReady): string[] {
  return Object.entries(apiPaths).map(([name, page]) => `  ${name.padEnd(10)} ${apiUrl}${page}`);
}

/** Who has one listener need not know its name. */
function bootstrapLabel(name: string, count: number): string {
  return count === 1 ? 'bootstrap ' : name.padEnd(10);
}
