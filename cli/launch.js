#!/usr/bin/env node
// The entry of `npx firn`. JavaScript that old versions of Node can read too, so that they can be told what is needed.
const major = Number.parseInt(process.versions.node, 10);
if (major < 24) {
  console.error(
    `firn needs Node.js 24 or newer, and this is ${process.version}: install a newer one and try again.`,
  );
  process.exit(1);
}
// A checkout runs its TypeScript source; the package holds only what was built from it.
const { existsSync } = await import('node:fs');
const source = new URL('./firn.ts', import.meta.url);
const { main } = await import(
  existsSync(source) ? source.href : new URL('../dist/cli/firn.js', import.meta.url).href
);
await main();
