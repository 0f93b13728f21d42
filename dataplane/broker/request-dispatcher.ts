import type { AnyApi, Api } from '../protocol/api.ts';
import { apiVersions } from '../protocol/api/api-versions.ts';
import type { ApiVersionsResponse } from '../protocol/api/api-versions.ts';
import { produce } from '../protocol/api/produce.ts';
import { kafkaErrors } from '../protocol/error-code.ts';
import { decodeRequestHeader, decodeRequestStart, encodeResponseFrame } from '../protocol/headers.ts';
import { isInRange } from '../protocol/version-range.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Handler } from './handler.ts';
import { noResponse } from './handler.ts';
import type { RequestProcessor, ResponseFrame } from './net/kafka-connection.ts';
import type { ConnectionInfo, RequestContext } from './request-context.ts';

/** A request that no broker would answer: of an API or a version that is not offered. The connection is closed. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
}

/**
 * Records make requests large, nothing else does. A small element of an array takes up to forty times its bytes as a value,
 * so what can consist of such elements is bounded more tightly than `socket.request.max.bytes`.
 */
const maxBytesWithoutRecords = 16 * 1024 * 1024;

/** Features of the cluster as ApiVersions tells them (KIP-584). */
export interface Features {
  readonly supported: readonly {
    readonly name: string;
    readonly minVersion: number;
    readonly maxVersion: number;
  }[];
  readonly finalized: readonly { readonly name: string; readonly level: number }[];
  readonly epoch: number;
}

/** One request that has been answered, for metrics and logs. */
export interface RequestTrace {
  readonly api: AnyApi;
  readonly context: RequestContext;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** From its arrival to its response, waiting included. */
  readonly tookMs: number;
}

interface Served {
  readonly api: Api<string, unknown, unknown, unknown, unknown>;
  readonly minVersion: number;
  readonly handler: (request: unknown, context: RequestContext) => unknown;
}

/** Decodes requests, has them worked on, and encodes the answers. What it does not serve is not advertised. */
export class RequestDispatcher implements RequestProcessor {
  readonly #served: (Served | undefined)[] = [];
  readonly #serialKeys = new Set<number>();
  readonly #runtime: Pick<Runtime, 'monotonicMs'>;
  readonly #features: () => Features;
  readonly #onAnswered: (trace: RequestTrace) => void;

  constructor(options: {
    readonly runtime: Pick<Runtime, 'monotonicMs'>;
    readonly features: () => Features;
    readonly onAnswered?: ((trace: RequestTrace) => void) | undefined;
  }) {
    this.#runtime = options.runtime;
    this.#features = options.features;
    this.#onAnswered = options.onAnswered ?? (() => undefined);
    this.serve(apiVersions, (request, { connection }) => {
      if (!/^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/.test(request.clientSoftwareName || 'unknown'))
        return this.#apiVersions(kafkaErrors.INVALID_REQUEST.code);
      const { clientSoftwareName: name, clientSoftwareVersion: version } = request;
      if (name !== '') connection.software = { name, version };
      return this.#apiVersions(kafkaErrors.NONE.code);
    });
  }

  /**
   * @param options.serial see {@link RequestProcessor.isSerial}
   * @param options.advertisedFrom a lower minimum version to advertise than is served, as Kafka does for Produce
   */
  serve<A extends AnyApi>(
    api: A,
    handler: Handler<A>,
    options: { readonly serial?: boolean; readonly advertisedFrom?: number } = {},
  ): void {
    this.#served[api.key] = {
      api: api as unknown as Served['api'],
      minVersion: options.advertisedFrom ?? api.versions.min,
      handler: handler as Served['handler'],
    };
    if (options.serial === true) this.#serialKeys.add(api.key);
  }

  isSerial(frame: Uint8Array): boolean {
    return this.#serialKeys.has(((frame[0] ?? 0) << 8) | (frame[1] ?? 0));
  }

  async process(
    frame: Uint8Array,
    connection: ConnectionInfo,
    signal: AbortSignal,
  ): Promise<ResponseFrame | undefined> {
    const beganMs = this.#runtime.monotonicMs();
    const { apiKey, apiVersion, correlationId } = decodeRequestStart(frame);
    const served = this.#served[apiKey];
    if (served === undefined) throw new RequestRefused(`API ${apiKey} is not served`);
    const { api, handler } = served;
    if (!isInRange(apiVersion, api.versions)) {
      // The one answer that a client of any version can read: from it the client learns which versions there are.
      if (apiKey === apiVersions.key) {
        const answer = this.#apiVersions(kafkaErrors.UNSUPPORTED_VERSION.code);
        return { pieces: encodeResponseFrame(apiVersions, 0, correlationId, answer) };
      }
      throw new RequestRefused(
        `version ${apiVersion} of ${api.name} is not served, only ${api.versions.min} to ${api.versions.max}`,
      );
    }
    if (frame.length > maxBytesWithoutRecords && apiKey !== produce.key) {
      throw new RequestRefused(
        `a ${api.name} request of ${frame.length} bytes: at most ${maxBytesWithoutRecords} are accepted`,
      );
    }
    const { header, bodyStart } = decodeRequestHeader(frame, api, apiVersion);
    const request = api.request.decode(frame, apiVersion, bodyStart);
    const afterwards: (() => void)[] = [];
    const done = (): void => {
      for (const callback of afterwards.splice(0)) callback();
    };
    const context: RequestContext = {
      connection,
      clientId: header.clientId,
      apiVersion,
      correlationId,
      principal: 'User:ANONYMOUS',
      signal,
      afterResponse: (callback) => {
        afterwards.push(callback);
      },
    };
    let pieces: readonly Uint8Array[] | undefined;
    try {
      const response = await handler(request, context);
      if (response !== noResponse) pieces = encodeResponseFrame(api, apiVersion, correlationId, response);
    } catch (error) {
      done();
      throw error;
    }
    let responseBytes = 0;
    for (const piece of pieces ?? []) responseBytes += piece.length;
    const tookMs = this.#runtime.monotonicMs() - beganMs;
    this.#onAnswered({ api, context, requestBytes: frame.length, responseBytes, tookMs });
    if (pieces !== undefined) return { pieces, sent: afterwards.length === 0 ? undefined : done };
    done();
    return undefined;
  }

  #apiVersions(errorCode: number): ApiVersionsResponse {
    const { supported, finalized, epoch } = this.#features();
    const apiKeys = this.#served
      .filter((served) => served !== undefined)
      .map(({ api, minVersion }) => ({ apiKey: api.key, minVersion, maxVersion: api.versions.max }));
    return {
      errorCode,
      apiKeys,
      throttleTimeMs: 0,
      supportedFeatures: [...supported],
      finalizedFeaturesEpoch: epoch,
      finalizedFeatures: finalized.map(({ name, level }) => ({
        name,
        maxVersionLevel: level,
        minVersionLevel: level,
      })),
      zkMigrationReady: false,
    };
  }
}
