import { textTable } from '../text-table.ts';
import type { BrokerShown, ClusterStatus, PartitionName } from './cluster-status.ts';

/** Of each kind of thing that somebody may want to know of. */
const maxShown = 20;

/** For people. */
export function clusterLines(status: ClusterStatus): string {
  const { clusterId, brokers, zones, topics, internalTopics, partitions, groups } = status;
  const { moving, strays, leaderless } = status;
  const notes = [
    ...brokers.flatMap(noteOn),
    ...listed(
      moving,
      'moves',
      (one) => `${nameOf(one)} moves from broker ${one.from ?? '(none)'} to broker ${one.to ?? '(none)'}`,
    ),
    ...listed(
      strays,
      'partitions abroad',
      (one) =>
        `${nameOf(one)} is abroad: broker ${one.broker} in zone ${one.zone ?? '-'} leads it, its home is zone ${one.homeZone}`,
    ),
    ...listed(leaderless, 'partitions without a leader', (one) => `nobody leads ${nameOf(one)}`),
  ];
  return [
    `cluster     ${clusterId ?? '-'}\n`,
    `topics      ${topics}, internal: ${internalTopics}\n`,
    `partitions  ${partitions}, without a leader: ${leaderless.length}\n`,
    `groups      ${groups}\n\n`,
    brokerTable(brokers),
    zones.length < 2 ? '' : `\n${zoneTable(zones)}`,
    notes.length === 0 ? '' : `\n${notes.join('')}`,
  ].join('');
}

function zoneTable(zones: ClusterStatus['zones']): string {
  return textTable(
    ['ZONE', 'BROKERS', 'PARTITIONS LED'],
    zones.map(({ zone, brokers, partitionsLed }) => [zone, brokers, partitionsLed]),
  );
}

function brokerTable(brokers: readonly BrokerShown[]): string {
  const hasTables = brokers.some(({ tableWorkers }) => tableWorkers > 0);
  const header = ['BROKER', 'STATE', 'ZONE', 'ADDRESS', 'PARTITIONS LED', 'GROUPS'];
  return textTable(
    hasTables ? [...header, 'TABLE WORKERS', 'TABLE COORDINATORS'] : header,
    brokers.map(({ id, state, zone, address, partitionsLed, groups, tableWorkers, tableCoordinators }) => [
      id,
      state,
      zone,
      address,
      partitionsLed,
      groups,
      ...(hasTables ? [tableWorkers, tableCoordinators] : []),
    ]),
  );
}

function noteOn({ id, state }: BrokerShown): string[] {
  switch (state) {
    case 'cordoned':
      return [`broker ${id} is cordoned: "firn drain ${id} --undo" lets it take part again\n`];
    case 'unreachable':
      return [`broker ${id} does not answer; what it leads goes to others when it has been given up\n`];
    case 'alive':
    case 'draining':
    case 'dead':
      return [];
  }
}

function nameOf({ topic, partition }: PartitionName): string {
  return `${topic}-${partition}`;
}

function listed<T>(all: readonly T[], what: string, line: (one: T) => string): string[] {
  return [
    ...all.slice(0, maxShown).map((one) => `${line(one)}\n`),
    ...(all.length > maxShown ? [`… and ${all.length - maxShown} more ${what} (--json lists all)\n`] : []),
  ];
}
