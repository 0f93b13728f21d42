/** The parts of `make test` that can be run alone. Every test file is in exactly one. */
export const testSets = ['unit', 'sim', 's3', 'kube', 'e2e'] as const;

export type TestSet = (typeof testSets)[number];

export function isTestSet(name: string): name is TestSet {
  return (testSets as readonly string[]).includes(name);
}

/**
 * unit: beside the source, no servers. sim: the deterministic simulations. s3: against real S3 servers.
 * kube: against a real kube-apiserver. e2e: everything else that needs real parts or processes.
 *
 * @param file path from the top of the checkout, with `/`
 */
export function testSetOf(file: string): TestSet {
  if (file.startsWith('e2e/s3/')) return 's3';
  if (file.startsWith('e2e/kube/')) return 'kube';
  if (file.startsWith('e2e/')) return 'e2e';
  return file.includes('/sim/') ? 'sim' : 'unit';
}

/** The files of the sets, in the order of their names. */
export function testFilesOf(files: readonly string[], sets: readonly TestSet[]): string[] {
  return files.filter((file) => sets.includes(testSetOf(file))).toSorted();
}
