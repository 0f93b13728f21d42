import type { UpSettings } from './up-settings.ts';

/** Where one of several brokers belongs. */
export interface BrokerPlace {
  readonly zone: string;
  /** Among the brokers of the zone, from 0. */
  readonly ordinal: number;
}

const maxPort = 65_535;

/** Brokers one after the other over the zones. */
export function placesOf(zones: readonly string[], brokers: number): BrokerPlace[] {
  const inZone = new Map<string, number>();
  return Array.from({ length: brokers }, (_, at) => {
    const zone = zones[at % zones.length] ?? '';
    const ordinal = inZone.get(zone) ?? 0;
    inZone.set(zone, ordinal + 1);
    return { zone, ordinal };
  });
}

/** The settings of several brokers on one machine: the ports of each lie one above those of the one before. */
export function settingsOfAll(
  first: Omit<UpSettings, 'zone' | 'zones' | 'ordinal'>,
  places: readonly BrokerPlace[],
): UpSettings[] {
  const zones = [...new Set(places.map(({ zone }) => zone))];
  return places.map((place, at) => {
    const above = <T extends { readonly port: number }>(where: T): T => ({
      ...where,
      port: where.port === 0 ? 0 : where.port + at,
    });
    return {
      ...first,
      ...place,
      ...(places.length < 2 ? {} : { zones }),
      listeners: first.listeners.map(above),
      admin: above(first.admin),
      api: above(first.api),
      internal: above(first.internal),
    };
  });
}

/**
 * Why several brokers cannot have these ports on one machine; `undefined`: they can, as far as they are concerned. Of one
 * broker alone the system says so when it listens.
 */
export function portsProblem(brokers: readonly UpSettings[]): string | undefined {
  if (brokers.length < 2) return undefined;
  const taken = new Map<number, string>();
  for (const [at, { listeners, admin, api, internal }] of brokers.entries()) {
    const wanted = [
      ...listeners.map(({ name, port }) => [`listener ${name}`, port] as const),
      ['the admin port', admin.port] as const,
      ['the api port', api.port] as const,
      ['the internal port', internal.port] as const,
    ];
    for (const [what, port] of wanted) {
      if (port === 0) continue;
      const who = `${what} of broker ${at + 1} of ${brokers.length}`;
      const apart = `each broker has ports one above those of the one before: leave room for ${brokers.length}`;
      if (port > maxPort) return `${who} would be ${port}, and there are ${maxPort} ports only; ${apart}`;
      const other = taken.get(port);
      if (other !== undefined) return `port ${port} would be ${other} and ${who}; ${apart}`;
      taken.set(port, who);
    }
  }
  return undefined;
}
