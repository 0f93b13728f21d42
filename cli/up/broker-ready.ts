/** Where a broker that `firn up` has started can be reached. */
export interface BrokerReady {
  readonly id: number;
  readonly zone: string;
  readonly listeners: readonly { readonly name: string; readonly advertised: string }[];
  /** `host:port` for other brokers. */
  readonly internal: string;
  readonly store: string;
  readonly adminUrl: string;
  /** By name, such as `registry`. */
  readonly apiUrls: Readonly<Record<string, string>>;
  readonly pid: number;
}

/** What `firn up` prints of one broker. */
export function oneBrokerText({ id, listeners, store, adminUrl, apiUrls }: BrokerReady): string {
  return [
    `broker ${id} is ready`,
    ...listeners.map(({ name, advertised }) => `  ${bootstrapLabel(name, listeners.length)} ${advertised}`),
    `  store      ${store}`,
    `  admin      ${adminUrl}  (/metrics /healthz /readyz /status)`,
    ...Object.entries(apiUrls).map(([name, url]) => `  ${name.padEnd(10)} ${url}`),
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
  return [
    `${brokers.length} brokers are ready`,
    ...first.listeners.map(
      ({ name }) => `  ${bootstrapLabel(name, first.listeners.length)} ${addresses(name)}`,
    ),
    `  store      ${first.store}`,
    ...Object.entries(first.apiUrls).map(([name, url]) => `  ${name.padEnd(10)} ${url}`),
    ...brokers.map(
      ({ id, zone, listeners, adminUrl, pid }) =>
        `  broker ${String(id).padStart(5)}  zone ${zone}  ${listeners[0]?.advertised ?? ''}  admin ${adminUrl}  pid ${pid}`,
    ),
    '',
  ].join('\n');
}

/** Who has one listener need not know its name. */
function bootstrapLabel(name: string, count: number): string {
  return count === 1 ? 'bootstrap ' : name.padEnd(10);
}
