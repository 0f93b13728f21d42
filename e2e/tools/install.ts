/** `node e2e/tools/install.ts [NAME…]`: installs real parts ahead of a test run, so that no test waits for a build. */
import { installRealPart, RealPartMissingError, realParts } from './real-part.ts';
import type { RealPartName } from './real-part.ts';

const known = Object.keys(realParts) as RealPartName[];
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(known as string[]).includes(name));
if (unknown.length > 0)
  throw new Error(`unknown real part ${unknown.join(', ')}: there are ${known.join(', ')}`);

for (const name of known) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  try {
    console.log(`${name}: ${await installRealPart(name)}`);
  } catch (error) {
    if (!(error instanceof RealPartMissingError)) throw error;
    console.error(error.message);
    if (process.env['FIRN_REQUIRE_REAL'] === '1') process.exitCode = 1;
  }
}
