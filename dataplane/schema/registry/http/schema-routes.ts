import type { Registry } from '../registry.ts';
import { RegistryError } from '../registry-error.ts';
import type { RegisteredSchema } from '../registry-state.ts';
import { describeSchema, describeVersion } from './described-version.ts';
import { count, flag } from './registry-request.ts';
import { get } from './route.ts';
import type { Route } from './route.ts';

/** `/schemas`. */
export const schemaRoutes: readonly Route[] = [
  get('/schemas', async ({ registry }, { query, signal }) => {
    const prefix = query.get('subjectPrefix') ?? '';
    const includeDeleted = flag(query, 'deleted');
    const offset = count(query, 'offset', 0);
    const limit = count(query, 'limit', Infinity);
    const json = await registry.read((state) => {
      const all = state
        .subjects(includeDeleted)
        .filter((subject) => subject.startsWith(prefix))
        .flatMap((subject) => {
          const versions = state.versions(subject, includeDeleted);
          return (flag(query, 'latestOnly') ? versions.slice(-1) : versions).map((version) =>
            describeVersion(state, subject, version),
          );
        });
      return all.slice(offset, offset + limit);
    }, signal);
    return { json };
  }),

  get('/schemas/types', () => Promise.resolve({ json: ['AVRO'] })),

  get('/schemas/ids/*', async ({ registry }, { query, signal }, [text = '']) => {
    const schema = describeSchema(await schemaById(registry, text, signal));
    if (!flag(query, 'fetchMaxId')) return { json: schema };
    return { json: { ...schema, maxId: await registry.read(({ maxId }) => maxId, signal) } };
  }),

  get('/schemas/ids/*/schema', async ({ registry }, { signal }, [text = '']) => ({
    text: (await schemaById(registry, text, signal)).text,
  })),

  get('/schemas/ids/*/subjects', async ({ registry }, { query, signal }, [text = '']) => {
    const { id } = await schemaById(registry, text, signal);
    const uses = await registry.read((state) => state.usesOf(id, flag(query, 'deleted')), signal);
    return { json: [...new Set(uses.map(({ subject }) => subject))] };
  }),

  get('/schemas/ids/*/versions', async ({ registry }, { query, signal }, [text = '']) => {
    const { id } = await schemaById(registry, text, signal);
    return { json: await registry.read((state) => state.usesOf(id, flag(query, 'deleted')), signal) };
  }),
];

/** An id stands for one text for ever: what is known is given out without asking whether it is up to date. */
async function schemaById(registry: Registry, text: string, signal: AbortSignal): Promise<RegisteredSchema> {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  const schema =
    registry.glance((state) => state.schema(id)) ??
    (await registry.read((state) => state.schema(id), signal));
  if (schema === undefined) throw new RegistryError('schemaNotFound', `schema ${text} not found`);
  return schema;
}
