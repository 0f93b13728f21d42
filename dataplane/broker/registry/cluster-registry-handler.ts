import { WorkLimit } from '../../runtime/concurrency.ts';
import type { HttpHandler, HttpRequest, HttpResponse } from '../../runtime/http-exchange.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { registryErrorResponse } from '../../schema/registry/http/registry-handler.ts';
import { RegistryError, registryErrorCodes } from '../../schema/registry/registry-error.ts';
import { StoreError } from '../../store/errors.ts';
import { PeerError } from '../peers/peer-error.ts';
import type { RegistryDirectory } from './registry-directory.ts';

/** Asks the registry of another broker. Rejects with a PeerError, or a RegistryError for what cannot be passed on. */
export type RemoteRegistry = (broker: number, request: HttpRequest) => Promise<HttpResponse>;

export interface ClusterRegistryOptions {
  /** The registry of this broker: it answers `notTheOwner` while another one has it. */
  readonly here: HttpHandler;
  readonly directory: Pick<RegistryDirectory, 'place' | 'refresh'>;
  readonly remote: RemoteRegistry;
  readonly runtime: Runtime;
}

/** How long it is looked for who has the registry, while it is on the move. */
const patienceMs = 15_000;
const lookMs = 50;
/** See `maxPassedBytes`. */
const maxPassedAtATime = 24;

/**
 * The schema registry of a cluster, at any of its brokers: what the broker that is asked cannot answer it passes on to the one
 * that has the registry, as Confluent's registry does with writes.
 *
 * What was not asked, or was answered with "not the owner", has had no effect, and is asked again where the registry is by then. When
 * nobody knows whether a change was made, that is said: registering again finds what is there.
 */
export function clusterRegistryHandler(options: ClusterRegistryOptions): HttpHandler {
  const limit = new WorkLimit(maxPassedAtATime);
  return async (request) => {
    const answer = await options.here(request);
    if (!isNotTheOwner(answer)) return answer;
    try {
      return await limit.run(() => passOn(request, answer, options));
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      return registryErrorResponse(error, request.headers['accept']);
    }
  };
}

/** @param said by this broker */
async function passOn(
  request: HttpRequest,
  said: HttpResponse,
  { here, directory, remote, runtime }: ClusterRegistryOptions,
): Promise<HttpResponse> {
  const untilMs = runtime.monotonicMs() + patienceMs;
  for (;;) {
    const { place } = directory;
    const answer =
      place.kind === 'other' ? await asked(remote(place.brokerId, request), request) : await here(request);
    if (answer !== undefined && !isNotTheOwner(answer)) return answer;
    if (runtime.monotonicMs() >= untilMs) return answer ?? said;
    await sleep(runtime, lookMs, request.signal);
    await directory.refresh(request.signal).catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
    });
  }
}

/** `undefined`: it may be asked again. */
async function asked(
  answer: Promise<HttpResponse>,
  { method }: HttpRequest,
): Promise<HttpResponse | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    if (error.reason === 'unreachable' || (error.reason === 'lost' && method === 'GET')) return undefined;
    throw new RegistryError(
      'noOwner',
      `the schema registry could not be asked: ${error.message}${method === 'GET' ? '' : '; a change may have been made'}; try again`,
      { cause: error },
    );
  }
}

function isNotTheOwner({ status, body }: HttpResponse): boolean {
  if (status !== 503) return false;
  const answer: unknown = JSON.parse(Buffer.from(body).toString());
  return (answer as { error_code?: unknown }).error_code === registryErrorCodes.notTheOwner;
}
