import { LineCounter, isMap, parseAllDocuments } from 'yaml';
import { brokerManifest } from './broker-manifest.ts';
import type { BrokerManifest } from './broker-manifest.ts';
import { ManifestError } from './manifest-error.ts';
import { ManifestReader } from './manifest-reader.ts';

/**
 * Reads the one `Broker` in a YAML text.
 *
 * @param file for messages
 * @throws ManifestError
 */
export function readBrokerManifest(text: string, file: string): BrokerManifest {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines });
  const [document, ...more] = Array.isArray(documents) ? documents : [];
  if (document === undefined) throw new ManifestError([`${file}: this is empty; a Broker is wanted`]);
  const broken = [document, ...more].flatMap(({ errors }) => errors);
  if (broken.length > 0) {
    const problems = broken.map(({ message, linePos }) => {
      const line = linePos?.[0].line;
      // What follows draws the place.
      const what = (message.split(' at line ', 1)[0] ?? message).trim();
      return `${file}${line === undefined ? '' : `:${line}`}: this is not YAML: ${what}`;
    });
    throw new ManifestError(problems, { cause: broken[0] });
  }
  const reader = new ManifestReader(file, document, lines);
  const second = more.find(({ contents }) => contents !== null);
  if (second !== undefined)
    reader.refuse(
      second.contents?.range,
      'more than one manifest in a file is not built yet: keep the Broker alone',
    );
  const kind: unknown = isMap(document.contents) ? document.contents.get('kind') : undefined;
  if (kind === 'TableTopic')
    reader.refuse(document.contents?.range, 'kind TableTopic is not built yet: give a Broker');
  const manifest = reader.problems.length === 0 ? reader.read(brokerManifest) : undefined;
  if (manifest === undefined || reader.problems.length > 0) throw new ManifestError(reader.problems);
  return manifest;
}
