/**
 * What a subcommand of `firn` is. Each one lives in a file of its own (`cli/probe.ts` exports `probeCommand`) and is
 * registered by one line in the table of `cli/firn.ts`.
 */
export interface Command {
  /** The word after `firn`, kebab-case. */
  readonly name: string;
  /** One line for `firn --help`; no full stop. */
  readonly summary: string;
  /** What `firn NAME --help` prints: the synopsis, then options with their defaults. Ends without a line break. */
  readonly usage: string;
  /**
   * Runs the command to its end and resolves to its exit code. `args` are the words after the name. A `UsageError` makes
   * `firn` print its message and the usage, and exit with 2; any other error prints its message with its causes, exit 1.
   */
  run(args: readonly string[], io: CommandIo): Promise<ExitCode>;
}

/** 0: done. 1: it ran and the answer is no, or it failed. 2: it was asked wrongly and did nothing. */
export type ExitCode = 0 | 1 | 2 | 3;

/** A command's surroundings, injected so that a test runs it without a process of its own. */
export interface CommandIo {
  /** Writes text to standard output as given: results, for people or (with `--json`) for programs. */
  out(text: string): void;
  /** Writes text to standard error as given: progress, warnings, errors. */
  err(text: string): void;
  /** Resolves when what was written to standard output has been taken. Without it everything is at once. */
  written?(): Promise<void>;
  /** Standard input; without it there is none. */
  readonly input?: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder against which relative paths in arguments are resolved. */
  readonly cwd: string;
  /** Aborts on the first SIGINT or SIGTERM: the command cleans up and resolves. A second signal ends the process. */
  readonly signal: AbortSignal;
}

/** The arguments do not say what to do. The message names the argument and what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
