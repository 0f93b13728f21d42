import type { JsonObject } from '../../avro/schema-json.ts';
import { compatibilityLevels, isCompatibilityLevel } from '../compatibility-level.ts';
import type { CompatibilityLevel } from '../compatibility-level.ts';
import { removeLevel, setLevel } from '../registry-changes.ts';
import { RegistryError } from '../registry-error.ts';
import { bodyOf, flag, validSubject } from './registry-request.ts';
import { get } from './route.ts';
import type { Route, RouteHandler } from './route.ts';

const putConfig: RouteHandler = async ({ registry }, request, [name]) => {
  const subject = name === undefined ? undefined : validSubject(name);
  const level = levelOf(bodyOf(request));
  return { json: { compatibility: await registry.write(() => setLevel(subject, level), request.signal) } };
};

const deleteConfig: RouteHandler = async ({ registry }, { signal }, [subject]) => ({
  json: { compatibilityLevel: await registry.write((state) => removeLevel(state, subject), signal) },
});

const refuseMode: RouteHandler = () =>
  Promise.reject(
    new RegistryError(
      'operationNotPermitted',
      'the mode cannot be changed: READWRITE is the only one that is built',
    ),
  );

/** `/config`, `/mode`, `/contexts`. */
export const configRoutes: readonly Route[] = [
  get('/config', async ({ registry }, { signal }) => ({
    json: { compatibilityLevel: await registry.read(({ globalLevel }) => globalLevel, signal) },
  })),
  get('/config/*', async ({ registry }, { query, signal }, [subject = '']) => {
    const compatibilityLevel = await registry.read((state) => {
      const own = state.ownLevel(subject);
      return own ?? (flag(query, 'defaultToGlobal') ? state.globalLevel : undefined);
    }, signal);
    if (compatibilityLevel !== undefined) return { json: { compatibilityLevel } };
    throw new RegistryError(
      'subjectConfigNotFound',
      `subject ${subject} has no compatibility level of its own (defaultToGlobal=true asks for the one that holds)`,
    );
  }),
  { method: 'PUT', path: '/config', handle: putConfig },
  { method: 'PUT', path: '/config/*', handle: putConfig },
  { method: 'DELETE', path: '/config', handle: deleteConfig },
  { method: 'DELETE', path: '/config/*', handle: deleteConfig },

  get('/mode', () => Promise.resolve({ json: { mode: 'READWRITE' } })),
  get('/mode/*', (_context, { query }, [subject = '']) =>
    flag(query, 'defaultToGlobal')
      ? Promise.resolve({ json: { mode: 'READWRITE' } })
      : Promise.reject(new RegistryError('subjectModeNotFound', `subject ${subject} has no mode of its own`)),
  ),
  { method: 'PUT', path: '/mode', handle: refuseMode },
  { method: 'PUT', path: '/mode/*', handle: refuseMode },
  { method: 'DELETE', path: '/mode/*', handle: refuseMode },

  get('/contexts', () => Promise.resolve({ json: ['.'] })),
];

function levelOf(body: JsonObject): CompatibilityLevel {
  const { compatibility, normalize, ...others } = body;
  const more = Object.entries(others).filter(([, value]) => value !== null);
  if (more.length > 0) {
    const names = more.map(([name]) => name).join(', ');
    throw new RegistryError('invalidCompatibilityLevel', `only "compatibility" can be set, not ${names}`);
  }
  if (normalize === true)
    throw new RegistryError(
      'invalidCompatibilityLevel',
      'normalize=true is not built: schemas are kept in canonical form',
    );
  const level = typeof compatibility === 'string' ? compatibility.toUpperCase() : compatibility;
  if (isCompatibilityLevel(level)) return level;
  throw new RegistryError(
    'invalidCompatibilityLevel',
    `"compatibility" is ${JSON.stringify(compatibility)} but must be one of ${Object.keys(compatibilityLevels).join(', ')}`,
  );
}
