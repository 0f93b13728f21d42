/** Source text of one compiled function: lines, names that are used once, and the places of fields for error messages. */
export class SourceText {
  readonly #lines: string[] = [];
  #names = 0;
  /** Paths such as `topics[].partitions[].index`; generated code names them by number. */
  readonly sites: string[] = [];

  line(text: string): void {
    this.#lines.push(text);
  }

  name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  site(path: string): number {
    return this.sites.push(path) - 1;
  }

  toString(): string {
    return this.#lines.join('\n');
  }
}

/** A place in a declaration while it is compiled: the path, and the variables that hold the indexes of its `[]`s. */
export class FieldPath {
  readonly text: string;
  readonly indexes: readonly string[];

  constructor(text: string, indexes: readonly string[]) {
    this.text = text;
    this.indexes = indexes;
  }

  field(name: string): FieldPath {
    return new FieldPath(this.text === '' ? name : `${this.text}.${name}`, this.indexes);
  }

  element(index: string): FieldPath {
    return new FieldPath(`${this.text}[]`, [...this.indexes, index]);
  }

  /** Source text: the arguments that generated code passes when this field is wrong. */
  arguments(source: SourceText): string {
    return `${source.site(this.text)}, [${this.indexes.join(', ')}]`;
  }
}

/** `topics[].name` and `[3]` make `topics[3].name`. */
export function fillPath(path: string, indexes: readonly number[]): string {
  let next = 0;
  return path.replaceAll('[]', () => `[${indexes[next++] ?? ''}]`);
}
