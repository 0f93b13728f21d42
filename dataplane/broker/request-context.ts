/** Who asks, and how: what a handler knows of a request beside its body. */
export interface RequestContext {
  readonly connection: ConnectionInfo;
  /** What the client calls itself; `null` when it gives no name. */
  readonly clientId: string | null;
  readonly apiVersion: number;
  readonly correlationId: number;
  /** `User:ANONYMOUS` until authentication exists. */
  readonly principal: string;
  /** Aborts when the connection is gone: nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /**
   * Has `callback` called once when nobody looks at the response any more: it has been sent, or never will be. For the
   * memory of what it is made of. In calls that must not throw.
   */
  readonly afterResponse: (callback: () => void) => void;
}

export interface ConnectionInfo {
  /** Unique in this process. */
  readonly id: number;
  /** The address of the peer, without port. */
  readonly remoteAddress: string;
  /** The name of the listener the client came through, as in `BrokerEntry.listeners`. */
  readonly listener: string;
  /** The zone that the listener belongs to: its clients do too, as long as they do not say otherwise. */
  readonly zone?: string | undefined;
  /** What the client said of itself in ApiVersions (KIP-511), once it has. */
  software?: { readonly name: string; readonly version: string } | undefined;
}
