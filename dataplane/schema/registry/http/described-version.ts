import type { RegisteredSchema, RegisteredVersion, RegistryState } from '../registry-state.ts';

/** A version as Confluent's API shows it; what is usual is left out. */
export interface DescribedVersion {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  readonly schemaType?: string;
  readonly references?: readonly unknown[];
  readonly schema: string;
}

export function describeVersion(
  state: RegistryState,
  subject: string,
  { version, id }: RegisteredVersion,
): DescribedVersion {
  const schema = state.schema(id);
  if (schema === undefined)
    throw new Error(`version ${version} of ${subject} has id ${id}, which has no schema`);
  return { subject, version, id, ...describeSchema(schema) };
}

export function describeSchema({
  schemaType,
  references,
  text,
}: RegisteredSchema): Pick<DescribedVersion, 'schemaType' | 'references' | 'schema'> {
  return {
    ...(schemaType === 'AVRO' ? {} : { schemaType }),
    ...(references.length === 0 ? {} : { references }),
    schema: text,
  };
}
