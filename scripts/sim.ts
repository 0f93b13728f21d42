/** `npm run -s sim -- NAME [ARGUMENT…]`: runs `dataplane/NAME/sim/main.ts` with the arguments that follow. */
import { globSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const root = path.join(import.meta.dirname, '..');
const known = globSync('dataplane/*/sim/main.ts', { cwd: root }).map((file) => file.split(path.sep)[1] ?? '');
const [name = ''] = process.argv.splice(2, 1);

if (known.includes(name)) {
  await import(pathToFileURL(path.join(root, 'dataplane', name, 'sim/main.ts')).href);
} else {
  const choice = known.length === 0 ? 'there is none yet' : `NAME is one of: ${known.join(', ')}`;
  console.error(`usage: npm run -s sim -- NAME [ARGUMENT…]; ${choice}`);
  process.exitCode = 2;
}
