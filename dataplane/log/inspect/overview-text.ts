import type { GroupOverview, Overview, SessionOverview } from './overview.ts';
import { printable, sizeText, textFields, textTable, timeText } from './text-table.ts';

/** An overview for people. */
export function overviewText(overview: Overview): string {
  const { store, objects, bytes } = overview;
  const parts = [
    textFields([
      ['store', store],
      ['objects', `${objects} (${sizeText(bytes)})`],
      ...clusterFields(overview),
    ]),
    ...clusterTables(overview),
    ...sessionTable(overview.sessions),
    ...groupTables(overview.groups),
    otherKeys(overview),
    overview.sessions.some(({ state }) => state === 'live') ? movingNote : '',
  ];
  return parts.filter((part) => part !== '').join('\n');
}

const movingNote =
  'Sessions live, so brokers may be at work: what is shown was read one after the other and may have moved on since.\n';

function clusterFields({ cluster }: Overview): [string, string][] {
  if (cluster === undefined) return [['cluster', 'none: meta/cluster does not exist']];
  if ('error' in cluster) return [['cluster', `unreadable: ${cluster.error}`]];
  const { id, stateVersion, formatVersion, placedBy, zones } = cluster;
  return [
    [
      'cluster',
      `${id}, format version ${formatVersion}, state version ${stateVersion}, placed by ${placedBy}`,
    ],
    ['zones', zones.length === 0 ? 'none' : zones.join(', ')],
  ];
}

function clusterTables({ cluster }: Overview): string[] {
  if (cluster === undefined || 'error' in cluster) return [];
  const brokers = cluster.brokers.map(({ id, state, zone, address, sid }) => [id, state, zone, address, sid]);
  const topics = cluster.topics.map(({ name, partitions, groups, homeZone, isDeleted, topicId }) => [
    name,
    partitions,
    groups,
    homeZone ?? '-',
    isDeleted ? 'being deleted' : 'exists',
    topicId,
  ]);
  return [
    section('brokers', ['ID', 'STATE', 'ZONE', 'ADDRESS', 'SESSION'], brokers),
    section('topics', ['NAME', 'PARTITIONS', 'GROUPS', 'HOME ZONE', 'STATE', 'ID'], topics),
  ];
}

function sessionTable(sessions: readonly SessionOverview[]): string[] {
  const rows = sessions.map((session) => [
    session.sid,
    session.state,
    session.broker ?? '?',
    session.startedAtMs === undefined ? '?' : timeText(session.startedAtMs),
    session.slots === '' ? 'none' : `${session.slots} (${session.slotCount})`,
    session.trim ?? '-',
    session.end === undefined ? '-' : `${session.end.kind} at ${session.end.slot}`,
    session.checkpoints,
    sizeText(session.bytes),
  ]);
  const heads = [
    'SESSION',
    'STATE',
    'BROKER',
    'STARTED',
    'SLOTS',
    'TRIM',
    'ENDED BY',
    'CHECKPOINTS',
    'BYTES',
  ];
  return [section('sessions', heads, rows) + errorLines(sessions.map(({ sid, error }) => [sid, error]))];
}

function groupTables(groups: readonly GroupOverview[]): string[] {
  const rows = groups.map(({ group, topic, objects, manifest }) => {
    const known = manifest === undefined || 'error' in manifest ? undefined : manifest;
    const state = known?.state ?? (manifest === undefined ? 'no manifest' : 'unreadable');
    const owner = known?.owner === undefined ? '-' : `${known.owner.broker} (${known.owner.sid.slice(0, 8)})`;
    const runs = known?.runs.map(
      ({ sid, from, flushedTo, to }) =>
        `${sid.slice(0, 8)}:${Math.max(from, flushedTo)}-${to === undefined ? '' : to - 1}`,
    );
    return [
      group,
      topic ?? '-',
      known === undefined
        ? '-'
        : `${known.firstPartition}-${known.firstPartition + known.partitionCount - 1}`,
      state,
      known?.epoch ?? '-',
      owner,
      runs === undefined || runs.length === 0 ? '-' : runs.join(' '),
      objects.segments,
      sizeText(objects.segmentBytes),
      objects.pages,
    ];
  });
  const heads = [
    'GROUP',
    'TOPIC',
    'PARTITIONS',
    'STATE',
    'EPOCH',
    'OWNER',
    'UNFLUSHED SLOTS',
    'SEGMENTS',
    'BYTES',
    'PAGES',
  ];
  const errors = groups.map(
    ({ group, manifest }) =>
      [group, manifest !== undefined && 'error' in manifest ? manifest.error : undefined] as const,
  );
  return [section('partition groups', heads, rows) + errorLines(errors), partitionTable(groups)];
}

function partitionTable(groups: readonly GroupOverview[]): string {
  const rows = groups.flatMap(({ topic, group, manifest }) => {
    if (manifest === undefined || 'error' in manifest) return [];
    return (manifest.partitions ?? []).map((partition) => [
      `${topic ?? group.slice(0, 32)}-${partition.partition}`,
      partition.logStart,
      partition.segmentEnd,
      partition.logEnd ?? '?',
      partition.segments,
      partition.pages,
      sizeText(partition.segmentBytes),
    ]);
  });
  if (rows.length === 0) return '';
  return section(
    'partitions',
    ['PARTITION', 'LOG START', 'SEGMENT END', 'LOG END', 'SEGMENTS', 'PAGES', 'SEGMENT BYTES'],
    rows,
  );
}

function otherKeys({ unknownKeys, foreignKeys }: Overview): string {
  const lines: string[] = [];
  const { count, bytes, examples } = unknownKeys;
  if (count > 0)
    lines.push(
      `${count} unknown keys in the folders of firn (${sizeText(bytes)}): ${examples.slice(0, 5).map(printable).join(', ')}\n`,
    );
  for (const [folder, keys] of Object.entries(foreignKeys)) {
    lines.push(
      `${keys.count} objects of something else below ${printable(folder)} (${sizeText(keys.bytes)}), for example ${printable(keys.examples[0] ?? '')}\n`,
    );
  }
  return lines.join('');
}

function section(
  name: string,
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  return rows.length === 0 ? `${name}: none\n` : `${name}: ${rows.length}\n${textTable(heads, rows)}`;
}

function errorLines(errors: readonly (readonly [name: string, error: string | undefined])[]): string {
  return errors
    .map(([name, error]) => (error === undefined ? '' : `! ${name}: ${printable(error)}\n`))
    .join('');
}
