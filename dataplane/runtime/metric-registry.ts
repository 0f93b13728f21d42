import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { MetricDeclaration } from './metric-declaration.ts';

export type MetricTable = Readonly<Record<string, MetricDeclaration>>;

type NameOf<Table> = keyof Table & string;

type NamesOfKind<Table extends MetricTable, Kind extends MetricDeclaration['kind']> = {
  [Name in NameOf<Table>]: Table[Name]['kind'] extends Kind ? Name : never;
}[NameOf<Table>];

type Labels<Table extends MetricTable, Name extends NameOf<Table>> = Table[Name]['labels'][number];

/**
 * The metrics of a table, for one process or one test: each instance has a registry of its own. On hot paths keep what
 * `labels()` of a metric returns instead of naming labels each time.
 */
export class MetricRegistry<Table extends MetricTable> {
  readonly #registry = new Registry();
  readonly #metrics = new Map<string, Counter | Gauge | Histogram>();
  readonly #beforeExpose: (() => void)[] = [];

  constructor(table: Table) {
    for (const [name, declaration] of Object.entries(table)) {
      this.#metrics.set(name, createMetric(name, declaration, this.#registry));
    }
  }

  counter<Name extends NamesOfKind<Table, 'counter'>>(name: Name): Counter<Labels<Table, Name>> {
    return this.#metrics.get(name) as Counter<Labels<Table, Name>>;
  }

  gauge<Name extends NamesOfKind<Table, 'gauge'>>(name: Name): Gauge<Labels<Table, Name>> {
    return this.#metrics.get(name) as Gauge<Labels<Table, Name>>;
  }

  histogram<Name extends NamesOfKind<Table, 'histogram'>>(name: Name): Histogram<Labels<Table, Name>> {
    return this.#metrics.get(name) as Histogram<Labels<Table, Name>>;
  }

  /** For values that follow from the clock, such as ages: `update` sets them each time before they are read. */
  beforeExpose(update: () => void): void {
    this.#beforeExpose.push(update);
  }

  /** The text that Prometheus scrapes. */
  expose(): Promise<string> {
    for (const update of this.#beforeExpose) update();
    return this.#registry.metrics();
  }

  /** The content type of that text. */
  get contentType(): string {
    return this.#registry.contentType;
  }
}

function createMetric(
  name: string,
  declaration: MetricDeclaration,
  registry: Registry,
): Counter | Gauge | Histogram {
  const { help, labels } = declaration;
  const common = { name, help, labelNames: labels, registers: [registry] };
  switch (declaration.kind) {
    case 'counter':
      return new Counter(common);
    case 'gauge':
      return new Gauge(common);
    case 'histogram':
      return new Histogram({ ...common, buckets: [...declaration.buckets] });
  }
}
