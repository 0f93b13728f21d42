import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { Configs } from '../../cluster/cluster-state.ts';
import { configSynonym } from '../../cluster/config/table-configs.ts';
import type { Catalog } from '../../iceberg/catalog.ts';
import { CatalogError } from '../../iceberg/errors.ts';
import { avroToTable } from '../../schema/avro/avro-to-table.ts';
import { SchemaError } from '../../schema/errors.ts';
import { RegistryError } from '../../schema/registry/registry-error.ts';
import type { StructType } from '../../schema/table-type.ts';
import type { SchemaLookup } from '../../schema/registry/schema-lookup.ts';
import { StoreError } from '../../store/errors.ts';
import { tableSettingsOf } from './table-settings-of.ts';

const enableConfig = 'table.topic.enable';
const valueSuffix = '-value';

/** Whether configs that a client sets make a topic a table. */
export function wantsTable(configs: Configs): boolean {
  const text = configs[enableConfig] ?? configs[configSynonym(enableConfig) ?? ''];
  return text?.trim().toLowerCase() === 'true';
}

/**
 * Says early what would stop a table later: when a topic becomes a table, and when a schema is registered for one. Where
 * registry or catalog cannot be asked it says nothing; the table's status will.
 */
export class TableGate {
  readonly #cluster: ClusterClient;
  readonly #schemas: Pick<SchemaLookup, 'latest'>;
  readonly #catalog: Pick<Catalog, 'loadTable'>;

  constructor(parts: {
    readonly cluster: ClusterClient;
    readonly schemas: Pick<SchemaLookup, 'latest'>;
    readonly catalog: Pick<Catalog, 'loadTable'>;
  }) {
    this.#cluster = parts.cluster;
    this.#schemas = parts.schemas;
    this.#catalog = parts.catalog;
  }

  /** Why a topic cannot be a table; `undefined`: nothing is known that speaks against it. */
  async whyNoTable(topic: string, signal: AbortSignal): Promise<string | undefined> {
    const subject = `${topic}${valueSuffix}`;
    try {
      const found = await this.#schemas.latest(subject, signal);
      if (found === undefined) return undefined;
      const problem = problemOf(() => {
        if (found.record instanceof SchemaError) throw found.record;
        avroToTable(found.record);
      });
      return problem === undefined
        ? undefined
        : `topic ${topic} cannot be a table: version ${found.version} of subject ${subject}: ${problem}`;
    } catch (error) {
      if (error instanceof RegistryError) return undefined;
      throw error;
    }
  }

  /** The columns of a topic's table; `undefined`: it has none yet, or it cannot be seen now. */
  async columnsOf(topic: string, signal: AbortSignal): Promise<StructType | undefined> {
    const { current } = this.#cluster;
    const entry = current?.topics.get(topic);
    if (current === undefined || entry === undefined) return undefined;
    const { namespace, tableName } = tableSettingsOf(topic, entry.configs, current.configs);
    try {
      const { metadata } = await this.#catalog.loadTable({ namespace, name: tableName }, signal);
      return metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId)?.struct;
    } catch (error) {
      if (error instanceof CatalogError || error instanceof StoreError) return undefined;
      throw error;
    }
  }
}

function problemOf(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof SchemaError) return error.message;
    throw error;
  }
}
