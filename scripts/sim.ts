/** `npm run -s sim -- NAME [ARGUMENT…]`: runs `dataplane/NAME/sim/main.ts` with the arguments that follow. */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const known = globSync('dataplane/*/sim/main.ts', { cwd: root }).map((file) => file.split(path.sep)[1] ?? '');
const [name = '', ...args] = process.argv.slice(2);

if (known.includes(name)) {
  const main = path.join(root, 'dataplane', name, 'sim/main.ts');
  const { status } = spawnSync(process.execPath, [main, ...args], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
} else {
  const choice = known.length === 0 ? 'there is none yet' : `NAME is one of: ${known.join(', ')}`;
  console.error(`usage: npm run -s sim -- NAME [ARGUMENT…]; ${choice}`);
  process.exitCode = 2;
}
