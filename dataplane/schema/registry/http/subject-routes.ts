import { incompatibilities } from '../compatibility.ts';
import {
  deleteSubject,
  deleteVersion,
  earlierVersion,
  earlierVersions,
  register,
  subjectNotFound,
  versionOf,
} from '../registry-changes.ts';
import { RegistryError } from '../registry-error.ts';
import type { RegistryState } from '../registry-state.ts';
import { askedVersion, bodyOf, flag, schemaOf, validSubject } from './registry-request.ts';
import { describeVersion } from './described-version.ts';
import { get } from './route.ts';
import type { Route } from './route.ts';

/** `/subjects` and `/compatibility`. */
export const subjectRoutes: readonly Route[] = [
  get('/subjects', async ({ registry }, { query, signal }) => {
    const prefix = query.get('subjectPrefix') ?? '';
    const deletedOnly = flag(query, 'deletedOnly');
    const json = await registry.read((state) => {
      const live = new Set(state.subjects());
      return state
        .subjects(flag(query, 'deleted') || deletedOnly)
        .filter((subject) => subject.startsWith(prefix) && !(deletedOnly && live.has(subject)));
    }, signal);
    return { json };
  }),

  get('/subjects/*/versions', async ({ registry }, { query, signal }, [subject = '']) => {
    const json = await registry.read((state) => {
      const versions = state.versions(subject, flag(query, 'deleted'));
      if (versions.length === 0) throw subjectNotFound(subject);
      return versions.map(({ version }) => version);
    }, signal);
    return { json };
  }),

  get('/subjects/*/versions/*', async ({ registry }, { query, signal }, [subject = '', text = '']) => {
    const asked = askedVersion(text);
    return {
      json: await registry.read(
        (state) => describeVersion(state, subject, versionOf(state, subject, asked, flag(query, 'deleted'))),
        signal,
      ),
    };
  }),

  get('/subjects/*/versions/*/schema', async ({ registry }, { query, signal }, [subject = '', text = '']) => {
    const asked = askedVersion(text);
    const described = await registry.read(
      (state) => describeVersion(state, subject, versionOf(state, subject, asked, flag(query, 'deleted'))),
      signal,
    );
    return { text: described.schema };
  }),

  get('/subjects/*/versions/*/referencedby', async ({ registry }, { signal }, [subject = '', text = '']) => {
    const asked = askedVersion(text);
    await registry.read((state) => versionOf(state, subject, asked, true), signal);
    // No schema refers to another subject: such ones are refused.
    return { json: [] };
  }),

  {
    method: 'POST',
    path: '/subjects/*/versions',
    async handle({ registry, checkRegistration }, request, [name = '']) {
      const subject = validSubject(name);
      const { schema, version } = schemaOf(bodyOf(request));
      const refusal = await checkRegistration(subject, schema, request.signal);
      if (refusal !== undefined) throw new RegistryError('invalidSchema', refusal);
      const { id } = await registry.write(
        (state, parsed) => register(state, parsed, { subject, schema, version }),
        request.signal,
      );
      return { json: { id } };
    },
  },

  {
    method: 'POST',
    path: '/subjects/*',
    async handle({ registry }, request, [subject = '']) {
      const { schema } = schemaOf(bodyOf(request));
      const includeDeleted = flag(request.query, 'deleted');
      const json = await registry.read((state) => {
        const versions = state.versions(subject, includeDeleted);
        if (versions.length === 0) throw subjectNotFound(subject);
        const id = state.idOf('AVRO', schema.text);
        const found = versions.findLast((version) => version.id === id);
        if (found === undefined)
          throw new RegistryError('schemaNotFound', `subject ${subject} has no such schema`);
        return describeVersion(state, subject, found);
      }, request.signal);
      return { json };
    },
  },

  {
    method: 'DELETE',
    path: '/subjects/*',
    handle: async ({ registry }, { query, signal }, [subject = '']) => ({
      json: await registry.write((state) => deleteSubject(state, subject, flag(query, 'permanent')), signal),
    }),
  },

  {
    method: 'DELETE',
    path: '/subjects/*/versions/*',
    async handle({ registry }, { query, signal }, [subject = '', text = '']) {
      const asked = askedVersion(text);
      const permanent = flag(query, 'permanent');
      return {
        json: await registry.write((state) => deleteVersion(state, subject, asked, permanent), signal),
      };
    },
  },

  {
    method: 'POST',
    path: '/compatibility/subjects/*/versions',
    async handle({ registry }, request, [subject = '']) {
      const { schema } = schemaOf(bodyOf(request));
      const messages = await registry.read((state, parsed) => {
        const level = state.levelOf(subject);
        return incompatibilities(schema, earlierVersions(state, parsed, subject, level), level);
      }, request.signal);
      return { json: compatibilityAnswer(messages, flag(request.query, 'verbose')) };
    },
  },

  {
    method: 'POST',
    path: '/compatibility/subjects/*/versions/*',
    async handle({ registry }, request, [subject = '', text = '']) {
      const asked = askedVersion(text);
      const { schema } = schemaOf(bodyOf(request));
      const messages = await registry.read((state, parsed) => {
        if (asked === 'latest' && state.latest(subject) === undefined) return [];
        const { version } = existingVersion(state, subject, asked);
        return incompatibilities(
          schema,
          [earlierVersion(state, parsed, subject, version)],
          state.levelOf(subject),
        );
      }, request.signal);
      return { json: compatibilityAnswer(messages, flag(request.query, 'verbose')) };
    },
  },
];

/** The subject is known by its versions here: one that has none lacks the version. */
function existingVersion(
  state: RegistryState,
  subject: string,
  asked: ReturnType<typeof askedVersion>,
): ReturnType<typeof versionOf> {
  if (state.versions(subject).length > 0) return versionOf(state, subject, asked);
  throw new RegistryError('versionNotFound', `subject ${subject} has no version ${asked}`);
}

function compatibilityAnswer(messages: readonly string[], isVerbose: boolean): object {
  const answer = { is_compatible: messages.length === 0 };
  return isVerbose ? { ...answer, messages } : answer;
}
