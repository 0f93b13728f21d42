import type { AnyApi, RequestOf, ResponseInput } from '../protocol/api.ts';
import type { RequestContext } from './request-context.ts';

/** What a handler returns for a request that gets no response (`acks=0`). */
export const noResponse = Symbol('no response');

/**
 * Works on one kind of request. It is called in the order in which the requests of a connection arrived, and what must
 * keep that order it does before it first waits. What can go wrong with a request it answers with Kafka's error code;
 * what it throws, or rejects with, is a bug: it is logged and the connection is closed.
 */
export type Handler<A extends AnyApi> = (
  request: RequestOf<A>,
  context: RequestContext,
) => HandlerResult<A> | Promise<HandlerResult<A>>;

export type HandlerResult<A extends AnyApi> = ResponseInput<A> | typeof noResponse;
