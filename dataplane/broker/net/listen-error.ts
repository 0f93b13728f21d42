/** The port is taken, the address is not this machine's, or we may not listen there. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** Why listening failed, and what to do. */
export function describeListenFailure(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is taken by another process; stop it, or choose another port`;
    case 'EADDRNOTAVAIL':
      return `${host} is no address of this machine`;
    case 'EACCES':
      return `this user may not listen on port ${port} of ${host}; ports from 1024 on need no rights`;
    default:
      return `cannot listen on ${host}:${port}: ${error.message}`;
  }
}
