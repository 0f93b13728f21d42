import { compatibilityLevels } from './compatibility-level.ts';
import type { CompatibilityLevel } from './compatibility-level.ts';
import { whyUnreadable } from './registry-schema.ts';
import type { RegistrySchema } from './registry-schema.ts';

export interface EarlierVersion {
  readonly version: number;
  readonly schema: RegistrySchema;
}

/** Which of the versions there are (ascending, without deleted ones) a new schema is held against. */
export function versionsToCheck(versions: readonly number[], level: CompatibilityLevel): readonly number[] {
  const { readsOld, readByOld, all } = compatibilityLevels[level];
  if (!readsOld && !readByOld) return [];
  return all ? versions.toReversed() : versions.slice(-1);
}

/** Why a schema may not follow `earlier`, all of which are checked; empty when it may. */
export function incompatibilities(
  schema: RegistrySchema,
  earlier: readonly EarlierVersion[],
  level: CompatibilityLevel,
): readonly string[] {
  const { readsOld, readByOld } = compatibilityLevels[level];
  const messages: string[] = [];
  for (const { version, schema: old } of earlier) {
    const backward = readsOld ? whyUnreadable(schema, old) : undefined;
    if (backward !== undefined)
      messages.push(
        `what was written with version ${version} cannot be read with the new schema: ${backward}`,
      );
    const forward = readByOld ? whyUnreadable(old, schema) : undefined;
    if (forward !== undefined)
      messages.push(`what is written with the new schema cannot be read with version ${version}: ${forward}`);
  }
  return messages;
}
