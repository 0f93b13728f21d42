import { GroupError } from '../../errors.ts';
import { asciiSize, parseRegex } from './regex-syntax.ts';
import type { CharacterSet, RegexNode } from './regex-syntax.ts';

type Instruction =
  | { readonly kind: 'set'; readonly set: CharacterSet; readonly next: number }
  | { readonly kind: 'split'; readonly next: number; readonly other: number }
  | { readonly kind: 'begin' | 'end'; readonly next: number }
  | { readonly kind: 'match' };

/** Instructions of one expression: what `{1000}` within `{1000}` would come to. */
const maxInstructions = 10_000;
/** States that are remembered; more are found out anew each time. */
const maxStates = 2_000;

/**
 * A regular expression that whole topic names match or do not (KIP-848, `SubscribedTopicRegex`), in time linear in the
 * name whatever the expression is: a deterministic automaton that is made as far as names need it. JavaScript's own would
 * let a client hold up the broker for hours with one expression.
 */
export class TopicRegex {
  readonly #program: readonly Instruction[];
  readonly #states = new Map<string, State>();
  readonly #start: State;

  /** @throws GroupError INVALID_REGULAR_EXPRESSION */
  constructor(text: string) {
    this.#program = new Compiler(text).compile(parseRegex(text));
    this.#start = this.#state([0], { atBegin: true });
  }

  /** @param name ASCII, as topic names are */
  matches(name: string): boolean {
    let state = this.#start;
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i);
      if (code >= asciiSize) return false;
      const next = state.next[code] ?? this.#step(state, code);
      if (next.instructions.length === 0) return false;
      state = next;
    }
    return state.accepts;
  }

  #step(state: State, code: number): State {
    const targets: number[] = [];
    for (const at of state.instructions) {
      const instruction = this.#program[at];
      if (instruction?.kind === 'set' && instruction.set[code] === 1) targets.push(instruction.next);
    }
    const next = this.#state(targets, { atBegin: false });
    state.next[code] = next;
    return next;
  }

  #state(targets: readonly number[], { atBegin }: { readonly atBegin: boolean }): State {
    const instructions = this.#reached(targets, { atBegin, atEnd: false });
    const key = instructions.join();
    const known = this.#states.get(key);
    if (known !== undefined && !atBegin) return known;
    const atEnd = this.#reached(targets, { atBegin, atEnd: true });
    const state: State = {
      instructions,
      accepts: atEnd.some((at) => this.#program[at]?.kind === 'match'),
      next: [],
    };
    // What can be reached at the end of a name depends on more than the instructions only at its beginning.
    if (atBegin) return state;
    if (this.#states.size >= maxStates) {
      for (const { next } of this.#states.values()) next.length = 0;
      this.#states.clear();
      this.#start.next.length = 0;
    }
    this.#states.set(key, state);
    return state;
  }

  /** The instructions that wait for a character (or for the end), from these without consuming any. Sorted. */
  #reached(
    targets: readonly number[],
    { atBegin, atEnd }: { readonly atBegin: boolean; readonly atEnd: boolean },
  ): number[] {
    const seen = new Set<number>();
    const waiting: number[] = [];
    const todo = [...targets];
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      const instruction = this.#program[at];
      if (instruction === undefined || seen.has(at)) continue;
      seen.add(at);
      switch (instruction.kind) {
        case 'set':
        case 'match':
          waiting.push(at);
          break;
        case 'split':
          todo.push(instruction.next, instruction.other);
          break;
        case 'begin':
          if (atBegin) todo.push(instruction.next);
          break;
        case 'end':
          // Waits for the end: part of the state, or two states would look alike.
          waiting.push(at);
          if (atEnd) todo.push(instruction.next);
      }
    }
    return waiting.sort((a, b) => a - b);
  }
}

interface State {
  readonly instructions: readonly number[];
  /** A name that ends here matches. */
  readonly accepts: boolean;
  /** By character. */
  readonly next: (State | undefined)[];
}

/** Expression → instructions, from the back: each is made when what follows it is known. */
class Compiler {
  readonly #text: string;
  readonly #instructions: Instruction[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** The first instruction is 0. */
  compile(node: RegexNode): Instruction[] {
    this.#instructions.push({ kind: 'match' });
    const entry = this.#node(node, 0);
    const count = this.#instructions.length;
    // Renumbered, so that the entry is 0.
    const renumber = (at: number): number => {
      if (at === entry) return 0;
      return at === 0 ? entry : at;
    };
    const renumbered: Instruction[] = [];
    for (let at = 0; at < count; at++) {
      const instruction = this.#instructions[renumber(at)];
      if (instruction !== undefined) renumbered.push(withTargets(instruction, renumber));
    }
    return renumbered;
  }

  #emit(instruction: Instruction): number {
    if (this.#instructions.length >= maxInstructions) {
      throw new GroupError(
        'INVALID_REGULAR_EXPRESSION',
        `${JSON.stringify(this.#text.slice(0, 200))} is too large: its repetitions come to more than ${maxInstructions} steps`,
      );
    }
    return this.#instructions.push(instruction) - 1;
  }

  #node(node: RegexNode, next: number): number {
    switch (node.kind) {
      case 'set':
        return this.#emit({ kind: 'set', set: node.set, next });
      case 'begin':
      case 'end':
        return this.#emit({ kind: node.kind, next });
      case 'sequence':
        return node.nodes.reduceRight((after, part) => this.#node(part, after), next);
      case 'choice': {
        const [first, ...others] = node.nodes.map((part) => this.#node(part, next));
        return others.reduce(
          (other, entry) => this.#emit({ kind: 'split', next: entry, other }),
          first ?? next,
        );
      }
      case 'repeat': {
        let entry = next;
        if (node.max === undefined) {
          const loop = this.#emit({ kind: 'split', next, other: next });
          this.#instructions[loop] = { kind: 'split', next: this.#node(node.node, loop), other: next };
          entry = loop;
        } else {
          for (let i = node.min; i < node.max; i++)
            entry = this.#emit({ kind: 'split', next: this.#node(node.node, entry), other: next });
        }
        for (let i = 0; i < node.min; i++) entry = this.#node(node.node, entry);
        return entry;
      }
    }
  }
}

function withTargets(instruction: Instruction, renumber: (at: number) => number): Instruction {
  if (instruction.kind === 'match') return instruction;
  const next = renumber(instruction.next);
  if (instruction.kind === 'split') return { ...instruction, next, other: renumber(instruction.other) };
  return { ...instruction, next };
}
