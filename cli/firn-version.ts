import { readFileSync } from 'node:fs';
import path from 'node:path';

/** The version in our package.json: the same file whether we run from the source or from `dist/`. */
export function firnVersion(): string {
  for (let folder = import.meta.dirname; ; folder = path.dirname(folder)) {
    const manifest = readManifest(path.join(folder, 'package.json'));
    if (manifest?.name === 'firn' && manifest.version !== undefined) return manifest.version;
    if (folder === path.dirname(folder)) {
      throw new Error(`no package.json of firn above ${import.meta.dirname}: reinstall the package`);
    }
  }
}

function readManifest(file: string): { readonly name?: string; readonly version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
