import { readFile, readlink } from 'node:fs/promises';
import type { Runtime } from '../../runtime/runtime.ts';
import { hasErrno, unlessErrno } from './file-system.ts';
import type { FileSystem } from './file-system.ts';
import type { Layout } from './layout.ts';
import type { MetadataLinks } from './metadata.ts';

/** After this long without a write a client whose process cannot be seen from here counts as gone. */
const unseenGoneMs = 24 * 3600 * 1000;

/**
 * The name of a client's temporary folder: `<pid>.<start>.<pid namespace>.<nonce>`. The first three tell other
 * processes whether it is alive, the last makes it unique.
 */
export async function newClientName(runtime: Pick<Runtime, 'random'>): Promise<string> {
  const nonce = Buffer.from(runtime.random.bytes(12)).toString('hex');
  return `${process.pid}.${(await startOf(process.pid)) ?? 'x'}.${await pidNamespace()}.${nonce}`;
}

/**
 * Removes what processes that have ended left in their temporary folders. Taking a living client's folder away by
 * mistake would make its puts fail, nothing else: what it has put in place has other names.
 */
export async function sweepClients(
  fs: FileSystem,
  layout: Layout,
  metadataLinks: MetadataLinks,
  runtime: Pick<Runtime, 'wallMs'>,
): Promise<void> {
  for (const { name, kind } of (await unlessErrno(fs.readdir(layout.clientsFolder), 'ENOENT')) ?? []) {
    if (kind === 'directory' && (await isGone(fs, layout, name, runtime.wallMs())))
      await removeClient(fs, metadataLinks, `${layout.clientsFolder}/${name}`);
  }
}

/** Removes a client's folder with all in it. */
export async function removeClient(
  fs: FileSystem,
  metadataLinks: MetadataLinks,
  folder: string,
): Promise<void> {
  for (const { name } of (await unlessErrno(fs.readdir(folder), 'ENOENT')) ?? []) {
    const path = `${folder}/${name}`;
    const file = await unlessErrno(fs.openToRead(path), 'ENOENT', 'ELOOP');
    try {
      await unlessErrno(fs.unlink(path), 'ENOENT');
      if (file !== undefined) await metadataLinks.removeIfDead(file);
    } finally {
      await file?.close();
    }
  }
  await unlessErrno(fs.rmdir(folder), 'ENOENT', 'ENOTEMPTY', 'EEXIST');
}

async function isGone(fs: FileSystem, layout: Layout, client: string, nowMs: number): Promise<boolean> {
  const [pid, start, namespace] = client.split('.');
  if (namespace === (await pidNamespace()) && /^[1-9]\d*$/.test(pid ?? '')) {
    if (!isAlive(Number(pid))) return true;
    const startNow = await startOf(Number(pid));
    return start !== 'x' && startNow !== undefined && startNow !== start;
  }
  // Another container, or another machine's name for one: only time can tell.
  const stat = await unlessErrno(fs.stat(`${layout.clientsFolder}/${client}`), 'ENOENT');
  return stat !== undefined && Number(stat.modifiedNs / 1_000_000n) + unseenGoneMs < nowMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasErrno(error, 'ESRCH');
  }
}

/** When a process was started (clock ticks since the machine's start), where the system tells: on Linux. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the command in parentheses and may contain anything.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

async function pidNamespace(): Promise<string> {
  const text = await readlink('/proc/self/ns/pid').catch(() => undefined);
  return /\[(\d+)\]/.exec(text ?? '')?.[1] ?? '0';
}
