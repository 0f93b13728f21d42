import type { UpSettings } from './up-settings.ts';

/** Where one of several brokers belongs. */
export interface BrokerPlace {
  readonly zone: string;
  /** Among the brokers of the zone, from 0. */
  readonly ordinal: number;
}

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

/** The settings of the broker `at` of several on one machine: its ports lie so far above those of the first. */
export function settingsAt(
  first: Omit<UpSettings, 'zone' | 'ordinal'>,
  place: BrokerPlace,
  at: number,
): UpSettings {
  const above = <T extends { readonly port: number }>(where: T): T => ({
    ...where,
    port: where.port === 0 ? 0 : where.port + at,
  });
  return {
    ...first,
    ...place,
    listeners: first.listeners.map(above),
    admin: above(first.admin),
    api: above(first.api),
    internal: above(first.internal),
  };
}
