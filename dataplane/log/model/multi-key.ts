import { clusterKey } from './multi-cluster.ts';
import type { Cell, Session, State } from './multi-state.ts';

/** Equal for equal states. */
export function keyOf(state: State): string {
  let key = `${state.nextValue}|${state.trims}|${clusterKey(state.cluster)}|`;
  for (const manifest of state.manifests) key += `${manifest.key}^`;
  for (const slots of state.wal) key += `${slots.map(cellKey).join(':')}_`;
  for (const { session, slot, block } of state.puts) key += `${session}.${slot}.${cellKey(block)};`;
  for (const session of state.sessions) {
    if (session.key === '') session.key = sessionKey(session);
    key += session.key;
  }
  for (const blocks of state.acked) {
    key += `|${blocks
      .map(({ offset, value }) => offset * 1000 + value)
      .sort((x, y) => x - y)
      .join(';')}`;
  }
  if (state.lateCasses.length > 0) {
    const casses = state.lateCasses.map(
      ({ kind, session, partition, base, written }) => `${kind}${session}${partition}${base}${written.key}`,
    );
    key += `|${casses.sort().join('+')}`;
  }
  if (state.sweep !== null) {
    const { listed, unfenced, manifests } = state.sweep;
    key += `|${listed.map(({ session, slot }) => `${session}.${slot}`).join(';')}!${unfenced}!${manifests.map((manifest) => manifest.key).join('^')}`;
  }
  const { read } = state;
  if (read.phase !== 'none') {
    key += `|${read.phase}${read.session}${read.partition}${read.floor}.${read.nextSlot}${read.confirmed}`;
  }
  return key;
}

function sessionKey({ dead, nextSlot, inflight, roles, seals, oldView, onceConfirmed }: Session): string {
  let key = `|${dead ? 'x' : ''}${nextSlot}`;
  for (const { slot, block, outcome, attempts } of inflight)
    key += `;${slot}.${cellKey(block)}${outcome}${attempts}`;
  for (const role of roles) {
    const { phase, version, nextOffset, sealSlot, trim, flushedTo, basis, order, orderFrom } = role;
    key += `,${phase}${version}.${nextOffset}.${sealSlot}.${trim}.${flushedTo}.${order}.${orderFrom}${basis?.key ?? ''}`;
  }
  for (const known of seals ?? []) key += known === null ? '-' : `s${known.from}.${known.seal}`;
  if (oldView !== null) key += `v${clusterKey(oldView)}`;
  return onceConfirmed ? `${key}c` : key;
}

function cellKey(cell: Cell): string {
  if (cell === null) return '';
  return cell === 'fence' ? 'F' : `${cell.value}@${cell.offset}.${cell.partition}`;
}
