/**
 * Real servers that tests run against: found in, or installed into, a cache folder outside the checkout, keyed by
 * version. Installing uses the ordinary clients of public registries (go, pip, mvn) and nothing else.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface RealPart {
  /** The folder's name in the cache: name and version. */
  readonly folder: string;
  /** What exists in the folder once it is installed, relative to it. */
  readonly executable: string;
  /** A command that must work before an install is tried; where it does not, the part is missing here. */
  readonly toolchain: readonly [command: string, ...args: string[]];
  /** Installs into `folder`, which exists and is empty. It is renamed afterwards. */
  install(folder: string): Promise<unknown>;
}

const goClientsSource = path.join(import.meta.dirname, '../clients/go');
const kubeSource = path.join(import.meta.dirname, '../kube/hyper');
/** As `k8s.io/kubernetes` of `e2e/kube/hyper/go.mod`; without being told, every program reports v0.0.0-master. */
const kubeVersion = '1.35.4';

export const realParts = {
  versitygw: goPart('versitygw-v1.8.0', 'versitygw', 'github.com/versity/versitygw/cmd/versitygw@v1.8.0'),
  minio: goPart('minio-7aac2a2c5b7c', 'minio', 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c'),
  moto: {
    folder: 'moto-5.2.5',
    executable: 'bin/python',
    toolchain: ['python3', '-c', 'import venv, ensurepip'],
    install: (folder) => installPythonPackages(folder, ['moto[s3,server]==5.2.5']),
  },
  /** The jars of Kafka's own codecs; the JDK runs e2e/java over them. */
  kafkaCodec: {
    folder: 'kafka-codec-4.3.1',
    executable: 'jars',
    toolchain: ['javac', '-version'],
    install: (folder) =>
      installJars(folder, [
        'org.apache.kafka:kafka-clients:4.3.1',
        'org.apache.kafka:kafka-group-coordinator:4.3.1',
        'com.fasterxml.jackson.core:jackson-databind:2.21.2',
        'com.fasterxml.jackson.core:jackson-core:2.21.2',
        'com.fasterxml.jackson.core:jackson-annotations:2.21',
        'org.slf4j:slf4j-api:1.7.36',
        'org.slf4j:slf4j-nop:1.7.36',
      ]),
  },
  /** Apache Kafka: broker, command-line tools and Java clients, with all they depend on. */
  kafka: {
    folder: 'kafka-4.3.1',
    executable: 'jars',
    toolchain: ['mvn', '--version'],
    install: (folder) =>
      installJars(
        folder,
        [
          'org.apache.kafka:kafka_2.13:4.3.1',
          'org.apache.kafka:kafka-tools:4.3.1',
          'org.apache.logging.log4j:log4j-slf4j-impl:2.25.4',
        ],
        { transitive: true },
      ),
  },
  /** franz-go, with the program that tests it (`e2e/clients/go`). */
  goClients: {
    folder: `go-clients-${contentHash(goClientsSource)}`,
    executable: 'suite',
    toolchain: ['go', 'version'],
    install: (folder) =>
      run('go', ['build', '-trimpath', '-o', path.join(folder, 'suite'), '.'], {
        cwd: goClientsSource,
        maxBuffer: 64 * 1024 * 1024,
      }),
  },
  /** Kubernetes and etcd as one program (`e2e/kube/hyper`). About ten minutes of two cores, from empty Go caches. */
  kube: {
    folder: `kube-${kubeVersion}-${contentHash(kubeSource)}`,
    executable: 'hyper',
    toolchain: ['go', 'version'],
    install: buildKube,
  },
  /** librdkafka by its Python binding, and kafka-python. */
  pythonClients: {
    folder: 'python-clients-2',
    executable: 'bin/python',
    toolchain: ['python3', '-c', 'import venv, ensurepip'],
    install: (folder) =>
      installPythonPackages(folder, ['confluent-kafka[avro,schemaregistry]==2.16.1', 'kafka-python==3.0.12']),
  },
  /**
   * Engines that read tables: DuckDB with the extensions of its own version, as files in the packages
   * `duckdb_extension_*` (nothing is downloaded when they are loaded), and pyiceberg with pyarrow.
   */
  pythonTables: {
    folder: 'python-tables-1',
    executable: 'bin/python',
    toolchain: ['python3', '-c', 'import venv, ensurepip'],
    install: (folder) =>
      installPythonPackages(folder, [
        'duckdb==1.5.5',
        'duckdb-extension-iceberg==1.5.5',
        'duckdb-extension-avro==1.5.5',
        'duckdb-extension-httpfs==1.5.5',
        'pyiceberg[pyarrow,sql-sqlite]==0.12.0',
        'pyarrow==26.0.1',
      ]),
  },
} as const satisfies Record<string, RealPart>;

export type RealPartName = keyof typeof realParts;

/** `$FIRN_CACHE`, else `$XDG_CACHE_HOME/firn`, else `~/.cache/firn`. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (env['FIRN_CACHE']) return path.resolve(env['FIRN_CACHE']);
  return path.join(env['XDG_CACHE_HOME'] || path.join(os.homedir(), '.cache'), 'firn');
}

/** The part is not here and cannot be installed here. The message says why, and what would help. */
export class RealPartMissingError extends Error {
  override readonly name = 'RealPartMissingError';
  readonly part: string;

  constructor(part: string, why: string, options?: ErrorOptions) {
    super(`real part missing: ${part}: ${why}`, options);
    this.part = part;
  }
}

/**
 * The path of the part's executable. Installs it first where that is needed and possible: minutes for the Go programs,
 * once a machine. Safe under concurrent runs: the folder appears by one rename, and a lock keeps others from doing the
 * same work at the same time.
 */
export function installRealPart(name: RealPartName): Promise<string> {
  return installInto(cacheFolder(), name, realParts[name]);
}

/** `installRealPart` for any part and cache. */
export async function installInto(cache: string, name: string, part: RealPart): Promise<string> {
  const folder = path.join(cache, part.folder);
  const executable = path.join(folder, part.executable);
  if (existsSync(executable)) return executable;

  const [command, ...args] = part.toolchain;
  try {
    await run(command, args);
  } catch (cause) {
    throw new RealPartMissingError(
      name,
      `it needs ${command}, and "${part.toolchain.join(' ')}" fails here`,
      { cause },
    );
  }
  await mkdir(cache, { recursive: true });
  const unlock = await lock(`${folder}.lock`, () => existsSync(executable));
  const building = `${folder}.building-${process.pid}`;
  try {
    if (existsSync(executable)) return executable;
    console.error(`installing ${part.folder} into ${cache} (once a machine)`);
    await rm(building, { recursive: true, force: true });
    await mkdir(building);
    await part.install(building);
    await rename(building, folder);
    return executable;
  } catch (cause) {
    // Whoever renamed first won; both built the same version.
    if (existsSync(executable)) return executable;
    const why = cause instanceof Error ? cause.message.slice(-2_000) : String(cause);
    throw new RealPartMissingError(name, `installing it failed: ${why}`, { cause });
  } finally {
    await rm(building, { recursive: true, force: true });
    await unlock();
  }
}

/**
 * For a test's or suite's `skip` option: `test('…', { skip: await skipUnless('minio') }, …)`. `false` when all parts are
 * here (installed now where possible); else the reason, which the runner counts in its last lines. With
 * `FIRN_REQUIRE_REAL=1` a missing part is an error instead, so that the run fails.
 */
export async function skipUnless(...names: readonly RealPartName[]): Promise<string | false> {
  for (const name of names) {
    try {
      await installRealPart(name);
    } catch (error) {
      if (!(error instanceof RealPartMissingError) || process.env['FIRN_REQUIRE_REAL'] === '1') throw error;
      return error.message;
    }
  }
  return false;
}

/** Twelve hex characters that change with any file of the folder. */
function contentHash(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).toSorted())
    hash.update(name).update(readFileSync(path.join(folder, name)));
  return hash.digest('hex').slice(0, 12);
}

function goPart(folder: string, executable: string, module: string): RealPart {
  return {
    folder,
    executable,
    toolchain: ['go', 'version'],
    install: (into) =>
      run('go', ['install', '-trimpath', '-ldflags', '-s -w', module], {
        env: { ...process.env, GOBIN: into },
        maxBuffer: 64 * 1024 * 1024,
      }),
  };
}

async function buildKube(folder: string): Promise<void> {
  const [major, minor] = kubeVersion.split('.');
  const facts = { gitVersion: `v${kubeVersion}`, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
  const settings = Object.entries(facts).map(([k, v]) => `-X k8s.io/component-base/version.${k}=${v}`);
  const flags = ['-trimpath', '-tags', 'grpcnotrace', '-ldflags', ['-s -w', ...settings].join(' ')];
  await run('go', ['build', ...flags, '-o', path.join(folder, 'hyper'), '.'], {
    cwd: kubeSource,
    env: { ...process.env, CGO_ENABLED: '0' },
    maxBuffer: 64 * 1024 * 1024,
  });
}

async function installPythonPackages(folder: string, packages: readonly string[]): Promise<void> {
  await run('python3', ['-m', 'venv', folder]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
  await run(path.join(folder, 'bin/python'), pip);
}

/** These artifacts into `folder/jars`; without what they depend on, unless that is asked for. */
async function installJars(
  folder: string,
  artifacts: readonly string[],
  { transitive = false }: { readonly transitive?: boolean } = {},
): Promise<void> {
  const dependencies = artifacts.map((artifact) => {
    const [groupId, artifactId, version] = artifact.split(':');
    return `<dependency><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version></dependency>`;
  });
  const project = `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>firn</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join('\n')}</dependencies>
</project>
`;
  const pom = path.join(folder, 'pom.xml');
  await writeFile(pom, project);
  const copy = [
    `-DexcludeTransitive=${!transitive}`,
    '-DincludeScope=runtime',
    `-DoutputDirectory=${path.join(folder, 'jars')}`,
  ];
  await run('mvn', ['--batch-mode', '--quiet', '--file', pom, 'dependency:copy-dependencies', ...copy]);
}

/**
 * Takes the lock file, or waits until its holder is gone or `done` holds. Best effort: two processes that find the same
 * dead holder may both go on, which costs work and nothing else (see the rename above).
 */
async function lock(file: string, done: () => boolean): Promise<() => Promise<void>> {
  for (;;) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(`${process.pid}\n`);
      await handle.close();
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (done()) return () => Promise.resolve();
    if (!(await holderLives(file))) await rm(file, { force: true });
    await sleep(500);
  }
}

async function holderLives(file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  // Between creation and the writing of the pid the file is empty: its holder is alive and young.
  if (!Number.isSafeInteger(pid)) return existsSync(file) && text === '';
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
