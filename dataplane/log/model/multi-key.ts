import { clusterKey } from './multi-cluster.ts';
import type { Cell, Manifest, Session, State } from './multi-state.ts';

/** Equal for equal states. Sorts what is in the network: its order means nothing. */
export function keyOf(state: State): string {
  if (state.puts.length > 1) {
    state.puts.sort((x, y) => x.session - y.session || x.slot - y.slot || x.block.value - y.block.value);
  }
  let key = `${state.nextValue}|${state.trims}|${clusterKey(state.cluster)}|`;
  for (const manifest of state.manifests) key += `${manifestKey(manifest)}^`;
  for (const slots of state.wal) key += `${slots.map(cellKey).join(':')}_`;
  for (const { session, slot, block } of state.puts) key += `${session}.${slot}.${cellKey(block)};`;
  for (const session of state.sessions) key += sessionKey(session);
  for (const blocks of state.acked) {
    key += `|${blocks
      .map(({ offset, value }) => offset * 1000 + value)
      .sort((x, y) => x - y)
      .join(';')}`;
  }
  if (state.lateCasses.length > 0) {
    const casses = state.lateCasses.map(
      ({ kind, session, partition, base, written }) =>
        `${kind}${session}${partition}${base}${manifestKey(written)}`,
    );
    key += `|${casses.sort().join('+')}`;
  }
  if (state.sweep !== null) {
    const { listed, manifests } = state.sweep;
    key += `|${listed.map(({ session, slot }) => `${session}.${slot}`).join(';')}!${manifests.map(manifestKey).join('^')}`;
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
    key += `,${phase}${version}.${nextOffset}.${sealSlot}.${trim}.${flushedTo}.${order}.${orderFrom}${manifestKey(basis)}`;
  }
  if (seals !== null) key += `s${seals}`;
  if (oldView !== null) key += `v${clusterKey(oldView)}`;
  return onceConfirmed ? `${key}c` : key;
}

function cellKey(cell: Cell): string {
  if (cell === null) return '';
  return cell === 'fence' ? 'F' : `${cell.value}@${cell.offset}.${cell.partition}`;
}

export function manifestKey(manifest: Manifest | null): string {
  if (manifest === null) return '';
  let key = `${manifest.version}/${manifest.assignGen}/${manifest.owner}/${manifest.segment}`;
  for (const { session, from, to, flushedTo } of manifest.runs) {
    key += `/${session},${from},${to},${flushedTo}`;
  }
  return key;
}
