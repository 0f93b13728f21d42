import { inspect } from 'node:util';
import type { BlockEntry } from '../format/container.ts';
import { blockFlags } from '../format/block-entry.ts';
import type { ContainerContent, ObjectDescription } from './object-description.ts';
import { printable, sizeText, textFields, textTable, timeText } from './text-table.ts';

/** An object for people: what the store says, then what is in it. */
export function objectText({ key, kind, info, problem, content }: ObjectDescription): string {
  const parts = [
    textFields([
      ['key', printable(key)],
      ['kind', kind === 'unknown' ? 'none of the keys of the log: its content is not looked at' : kind],
      [
        'size',
        info.sizeBytes < 1024
          ? `${info.sizeBytes} bytes`
          : `${info.sizeBytes} bytes (${sizeText(info.sizeBytes)})`,
      ],
      ['written', `${timeText(info.lastModifiedMs)} by the clock of the store`],
      ['id', info.id === undefined ? undefined : printable(info.id)],
      ['etag', info.etag],
      ['PROBLEM', problem === undefined ? undefined : printable(problem)],
    ]),
  ];
  if (content?.kind === 'container') parts.push(...containerText(content.container));
  else if (content?.kind === 'document') parts.push(valueText('', content.value));
  return parts.join('\n');
}

function containerText({ header, footer, blocks, note }: ContainerContent): string[] {
  const shown = Object.entries(header).map(([name, value]): [string, string | number] => [
    name,
    name === 'writerTimeMs' && typeof value === 'number' ? `${value} (${timeText(value)})` : value,
  ]);
  const parts = [`header\n${indented(textFields(shown))}`];
  if (blocks !== undefined) {
    const heads = [
      'PARTITION',
      'EPOCH',
      'OFFSETS',
      'RECORDS',
      'BATCHES',
      'POSITION',
      'BYTES',
      'MAX TIMESTAMP',
      'PRODUCERS',
      'FLAGS',
      'CRC32C',
    ];
    parts.push(`index: ${blocks.length} blocks\n${indented(textTable(heads, blocks.map(blockRow)))}`);
  }
  if (note !== undefined) parts.push(`note\n${indented(valueText('', note))}`);
  if (footer !== undefined) parts.push(`footer\n${indented(textFields(Object.entries(footer)))}`);
  return parts;
}

function blockRow(block: BlockEntry): (string | number)[] {
  const producers = new Set(block.batches.flatMap(({ producerId }) => (producerId < 0 ? [] : [producerId])));
  const flags = Object.entries(blockFlags).flatMap(([name, bit]) =>
    (block.flags & bit) === 0 ? [] : [name],
  );
  return [
    `${block.topicId}-${block.partition}`,
    block.leaderEpoch,
    `${block.baseOffset}-${block.lastOffset}`,
    block.recordCount,
    block.batches.length,
    block.position,
    block.sizeBytes,
    timeText(block.maxTimestampMs),
    producers.size === 0 ? '-' : `${[...producers].slice(0, 3).join(', ')}${producers.size > 3 ? ', …' : ''}`,
    flags.length === 0 ? '-' : flags.join(', '),
    block.crc32c.toString(16).padStart(8, '0'),
  ];
}

/**
 * Any JSON-like value: fields one below the other, lists of flat objects as tables, what is nested indented.
 */
export function valueText(name: string, value: unknown): string {
  const title = (rest: string): string => (name === '' ? rest : `${name}: ${rest}`);
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    if (items.length === 0) return `${title('none')}\n`;
    const [first] = items;
    if (isFields(first) && items.every((item) => isFields(item) && isFlat(item))) {
      const heads = [...new Set(items.flatMap((item) => Object.keys(isFields(item) ? item : {})))];
      const rows = items.map((item) =>
        heads.map((head) => scalarCell(isFields(item) ? item[head] : undefined)),
      );
      return `${title(`${items.length}`)}\n${indented(textTable(heads, rows))}`;
    }
    if (items.every((item) => !isFields(item) && !Array.isArray(item)))
      return `${title(items.map(scalarText).join(', '))}\n`;
    return `${title(`${items.length}`)}\n${items.map((item, index) => indented(valueText(`[${index}]`, item))).join('')}`;
  }
  if (!isFields(value)) return `${title(scalarText(value))}\n`;
  const entries = Object.entries(value);
  if (entries.length === 0) return `${title('none')}\n`;
  const flat = entries.filter(([, item]) => isScalar(item));
  const nested = entries.filter(([, item]) => !isScalar(item));
  const body =
    textFields(flat.map(([field, item]) => [field, scalarText(item)])) +
    nested.map(([field, item]) => valueText(field, item)).join('');
  return name === '' ? body : `${name}\n${indented(body)}`;
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

function isFlat(fields: Fields): boolean {
  return Object.values(fields).every(isScalar);
}

function scalarCell(value: unknown): string | number {
  return typeof value === 'number' ? value : scalarText(value);
}

function scalarText(value: unknown): string {
  if (value === undefined || value === null) return '-';
  // What others wrote may hold anything, terminal control sequences included.
  if (typeof value === 'string') return value === '' ? '""' : printable(value);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : inspect(value);
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
