import { isBuiltin } from 'node:module';
import path from 'node:path';

/**
 * Which folder may import which: the arrows of docs/architecture.md as a table. A folder is a key here, or its files are
 * refused: a new folder starts with a decision about its direction. `*` stands for every folder.
 */
export const folderImports: Readonly<Record<string, readonly string[]>> = {
  'dataplane/runtime': [],
  'dataplane/protocol': ['dataplane/runtime'],
  'dataplane/store': ['dataplane/runtime'],
  'dataplane/cluster': ['dataplane/runtime', 'dataplane/store'],
  'dataplane/log': ['dataplane/runtime', 'dataplane/store', 'dataplane/protocol', 'dataplane/cluster'],
  'dataplane/client': ['dataplane/runtime', 'dataplane/protocol'],
  'dataplane/schema': ['dataplane/runtime'],
  'dataplane/columnar': ['dataplane/runtime', 'dataplane/schema'],
  'dataplane/iceberg': ['dataplane/runtime', 'dataplane/schema', 'dataplane/columnar', 'dataplane/store'],
  'dataplane/table': [
    'dataplane/runtime',
    'dataplane/protocol',
    'dataplane/store',
    'dataplane/cluster',
    'dataplane/log',
    'dataplane/schema',
    'dataplane/columnar',
    'dataplane/iceberg',
  ],
  'dataplane/broker': [
    'dataplane/runtime',
    'dataplane/protocol',
    'dataplane/store',
    'dataplane/cluster',
    'dataplane/log',
    'dataplane/schema',
    'dataplane/columnar',
    'dataplane/iceberg',
    'dataplane/table',
  ],
  operator: ['dataplane/client', 'dataplane/protocol', 'dataplane/runtime', 'dataplane/cluster', 'crds'],
  crds: ['dataplane/runtime'],
  cli: ['*'],
  bench: ['*'],
  e2e: ['*'],
  scripts: ['*'],
};

/**
 * Folders whose files never reach the package: they may use devDependencies. Tests and simulators (`sim/`) count as such
 * wherever they lie.
 */
const unshippedFolders = ['bench', 'e2e', 'scripts'];

/** Packages with a home: only these folders' shipped files may import them. `[]`: no shipped file may. */
const packageHomes: Readonly<Record<string, readonly string[]>> = {
  '@kubernetes/client-node': ['operator'],
  '@aws-sdk/client-s3': [],
  '@aws-sdk/credential-providers': ['dataplane/store'],
  undici: ['dataplane/store', 'dataplane/schema', 'dataplane/iceberg', 'cli'],
};

/** Built-in modules that do no I/O: all that `dataplane/protocol` may use. */
const pureBuiltins = [
  'node:assert',
  'node:assert/strict',
  'node:buffer',
  'node:crypto',
  'node:util',
  'node:zlib',
];

export interface PackageNames {
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

/**
 * What is wrong with the imports of one file: one sentence each, none when all is well. Type-only and dynamic imports
 * count too. Works on the formatted text: a line of a template literal that looks like an import is judged as one.
 *
 * @param file path from the top of the checkout, with `/`
 */
export function importProblems(file: string, source: string, packages: PackageNames): string[] {
  const from = folderOf(file);
  if (from === undefined) {
    return [
      `${file}: its folder is not in the table of scripts/import-rules.ts: add it with what it may import`,
    ];
  }
  const isTest = file.endsWith('.test.ts');
  const shipped = !isTest && !file.includes('/sim/') && !unshippedFolders.includes(from);
  const problems: string[] = [];
  for (const specifier of importSpecifiers(source)) {
    const problem = specifier.startsWith('.')
      ? pathProblem(file, from, specifier)
      : moduleProblem(from, specifier, shipped, isTest, packages);
    if (problem !== undefined) problems.push(`${file}: imports ${specifier}: ${problem}`);
  }
  return problems;
}

function pathProblem(file: string, from: string, specifier: string): string | undefined {
  const target = path.posix.join(path.posix.dirname(file), specifier);
  const to = folderOf(target);
  if (to === from || target === 'package.json') return undefined;
  if (to === undefined) return `${target} is in no folder of scripts/import-rules.ts`;
  const allowed = folderImports[from] ?? [];
  if (allowed.includes('*') || allowed.includes(to)) return undefined;
  return `${from} may import only ${allowed.length === 0 ? 'itself' : allowed.join(', ')}, not ${to}`;
}

function moduleProblem(
  from: string,
  specifier: string,
  shipped: boolean,
  isTest: boolean,
  packages: PackageNames,
): string | undefined {
  if (isBuiltin(specifier)) {
    if (from === 'dataplane/protocol' && !isTest && !pureBuiltins.includes(specifier)) {
      return 'dataplane/protocol does no I/O';
    }
    return undefined;
  }
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  const installed = packages.dependencies.includes(name);
  if (!installed && !packages.devDependencies.includes(name)) return `${name} is not in package.json`;
  if (!shipped) return undefined;
  if (!installed) return `${name} is a devDependency: the published package would not have it`;
  const homes = packageHomes[name];
  if (homes === undefined || homes.includes(from)) return undefined;
  return `${name} may be imported only by ${[...homes, 'tests, bench and e2e'].join(', ')}`;
}

/** The longest key of the table that holds the file. */
function folderOf(file: string): string | undefined {
  return Object.keys(folderImports)
    .filter((folder) => file.startsWith(`${folder}/`))
    .toSorted((a, b) => b.length - a.length)[0];
}

/** Statements begin at the start of a line in formatted code; `import(…)`, as a value or a type, stands anywhere. */
function importSpecifiers(source: string): string[] {
  const pattern = /(?:^(?:import|export)\b[^;'"]*?\bfrom|^import|\bimport\s*\()\s*(['"])([^'"\n]+)\1/gm;
  return [...source.matchAll(pattern)].flatMap((match) => match[2] ?? []);
}
