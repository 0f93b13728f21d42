import type { HttpHandler } from '../../runtime/http-exchange.ts';
import type { Cancel } from '../../runtime/runtime.ts';
import { registryHandler } from './http/registry-handler.ts';
import type { CheckRegistration } from './http/route.ts';
import { ParsedSchemas } from './parsed-schemas.ts';
import type { Registry } from './registry.ts';
import type { RegistryChange } from './registry-changes.ts';
import { decodeRegistryRecord, encodeRegistryRecord } from './registry-record.ts';
import type { RecordBytes } from './registry-record.ts';
import { RegistryState } from './registry-state.ts';

/** A registry whose log is an array: what it was told is read from bytes, as an owner reads it. */
export class MemoryRegistry implements Registry {
  readonly log: RecordBytes[] = [];
  readonly state = new RegistryState();
  readonly #parsed = new ParsedSchemas();
  readonly #listeners = new Set<() => void>();

  read<T>(query: (state: RegistryState, parsed: ParsedSchemas) => T): Promise<T> {
    return Promise.resolve().then(() => query(this.state, this.#parsed));
  }

  glance<T>(query: (state: RegistryState, parsed: ParsedSchemas) => T): T {
    return query(this.state, this.#parsed);
  }

  write<T>(decide: (state: RegistryState, parsed: ParsedSchemas) => RegistryChange<T>): Promise<T> {
    return Promise.resolve().then(() => {
      const { records, answer } = decide(this.state, this.#parsed);
      for (const record of records) {
        const bytes = encodeRegistryRecord(record);
        this.log.push(bytes);
        applyBytes(this.state, bytes);
      }
      for (const listener of this.#listeners) listener();
      return answer;
    });
  }

  subscribe(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** What an owner that reads the log anew knows. */
  reloaded(): RegistryState {
    const state = new RegistryState();
    for (const bytes of this.log) applyBytes(state, bytes);
    return state;
  }
}

function applyBytes(state: RegistryState, { key, value }: RecordBytes): void {
  const record = decodeRegistryRecord(key, value);
  if (record !== undefined) state.apply(record);
}

export interface Answer {
  readonly status: number;
  readonly json: unknown;
  readonly contentType: string | undefined;
}

/** A client of the registry's routes without sockets. */
export class RegistryClient {
  readonly #handle: HttpHandler;

  constructor(
    registry: Registry | HttpHandler,
    checkRegistration: CheckRegistration = () => Promise.resolve(undefined),
  ) {
    this.#handle =
      typeof registry === 'function' ? registry : registryHandler({ registry, checkRegistration });
  }

  async ask(
    method: string,
    url: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const [path = '', search = ''] = url.split('?', 2);
    const answer = await this.#handle({
      method,
      path,
      query: new URLSearchParams(search),
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json', ...headers },
      body: typeof body === 'string' ? Buffer.from(body) : Buffer.from(JSON.stringify(body) ?? ''),
      signal: new AbortController().signal,
    });
    const json: unknown = JSON.parse(Buffer.from(answer.body).toString());
    return { status: answer.status, json, contentType: answer.headers['content-type'] };
  }

  /** `404 40401` and so on; the JSON of a success. */
  async outcome(method: string, url: string, body?: unknown): Promise<unknown> {
    const { status, json } = await this.ask(method, url, body);
    if (status === 200) return json;
    return `${status} ${String((json as { error_code: unknown }).error_code)}`;
  }

  register(subject: string, schema: unknown): Promise<unknown> {
    return this.outcome('POST', `/subjects/${encodeURIComponent(subject)}/versions`, {
      schema: JSON.stringify(schema),
    });
  }
}
