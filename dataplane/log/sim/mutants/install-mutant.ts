import { registerHooks } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutant } from './mutant.ts';
import { mutate } from './mutant.ts';

const dataplane = path.join(import.meta.dirname, '../../..');

/**
 * Makes this process load the production code as the mutant has it. Call it before anything imports that code, then the
 * function it returns: that throws unless every file the mutant changes has been loaded, and changed.
 */
export function installMutant(mutant: Pick<Mutant, 'edits'>): () => void {
  const toLoad = new Set(mutant.edits.map(({ file }) => file));
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      if (!url.startsWith('file:')) return loaded;
      const file = path.relative(dataplane, fileURLToPath(url)).replaceAll(path.sep, '/');
      if (!mutant.edits.some((edit) => edit.file === file)) return loaded;
      const { source } = loaded;
      if (source === undefined || source === null)
        throw new Error(`dataplane/${file} was loaded without its source`);
      toLoad.delete(file);
      const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
      return { ...loaded, source: mutate(text, file, mutant.edits) };
    },
  });
  return () => {
    if (toLoad.size > 0)
      throw new Error(`the mutant changes ${[...toLoad].join(', ')}, which the simulation never loads`);
  };
}
