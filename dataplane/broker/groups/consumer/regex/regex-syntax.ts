import { GroupError } from '../../errors.ts';

/**
 * A regular expression over topic names, which consist of ASCII. The syntax is that of RE2, which has nothing that could
 * take more than linear time: no backreferences, no lookaround.
 */
export type RegexNode =
  | { readonly kind: 'set'; readonly set: CharacterSet }
  | { readonly kind: 'sequence'; readonly nodes: readonly RegexNode[] }
  | { readonly kind: 'choice'; readonly nodes: readonly RegexNode[] }
  /** `max` undefined: without end. */
  | {
      readonly kind: 'repeat';
      readonly node: RegexNode;
      readonly min: number;
      readonly max: number | undefined;
    }
  | { readonly kind: 'begin' | 'end' };

/** One byte for each ASCII character: 1 when it is in the set. */
export type CharacterSet = Uint8Array;

export const asciiSize = 128;

const maxLength = 4_096;
const maxDepth = 100;
/** RE2's bound of `{n}`. */
const maxRepeat = 1_000;

/** @throws GroupError INVALID_REGULAR_EXPRESSION */
export function parseRegex(text: string): RegexNode {
  return new RegexParser(text).parse();
}

class RegexParser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #ignoreCase = false;

  constructor(text: string) {
    this.#text = text;
    if (text.length > maxLength)
      throw this.#invalid(`it has ${text.length} characters, at most ${maxLength} are allowed`);
  }

  parse(): RegexNode {
    const node = this.#choice();
    if (this.#at < this.#text.length) throw this.#invalid('a closing parenthesis without an opening one');
    return node;
  }

  #choice(): RegexNode {
    if (++this.#depth > maxDepth) throw this.#invalid(`groups are nested more than ${maxDepth} deep`);
    const nodes = [this.#sequence()];
    while (this.#take('|')) nodes.push(this.#sequence());
    this.#depth -= 1;
    const [only] = nodes;
    return nodes.length === 1 && only !== undefined ? only : { kind: 'choice', nodes };
  }

  #sequence(): RegexNode {
    const nodes: RegexNode[] = [];
    while (this.#at < this.#text.length && !this.#isNext('|') && !this.#isNext(')')) {
      const atoms = this.#take('\\Q') ? this.#quoted() : [this.#atom()];
      // What is repeated is the last character of what was quoted.
      const last = atoms.pop();
      for (const atom of atoms) if (atom !== undefined) nodes.push(atom);
      if (last !== undefined) nodes.push(this.#repeated(last));
    }
    return { kind: 'sequence', nodes };
  }

  /** `\Q…\E`: everything in between stands for itself. */
  #quoted(): (RegexNode | undefined)[] {
    const end = this.#text.indexOf('\\E', this.#at);
    const quoted = this.#text.slice(this.#at, end < 0 ? undefined : end);
    this.#at += quoted.length + (end < 0 ? 0 : 2);
    return Array.from(quoted, (character) => this.#literal(character));
  }

  /** Undefined for what only sets flags. */
  #atom(): RegexNode | undefined {
    const character = this.#next();
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return { kind: 'set', set: this.#class() };
      case '.':
        return { kind: 'set', set: setOf((code) => code !== 10) };
      case '^':
        return { kind: 'begin' };
      case '$':
        return { kind: 'end' };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        throw this.#invalid(`nothing stands before ${character}`);
      default:
        return this.#literal(character);
    }
  }

  #group(): RegexNode | undefined {
    const ignoreCase = this.#ignoreCase;
    if (this.#take('?')) {
      const named = /^(?:P?<[A-Za-z0-9_]+>)/.exec(this.#text.slice(this.#at));
      if (named !== null) this.#at += named[0].length;
      else {
        const flags = /^(?<on>[imsU]*)(?:-(?<off>[imsU]+))?(?<end>[:)])/.exec(this.#text.slice(this.#at));
        if (flags === null)
          throw this.#invalid('a group that begins with (? and is no group of RE2 (there is no lookaround)');
        this.#at += flags[0].length;
        const { on = '', off = '', end } = flags.groups ?? {};
        if (on.includes('i')) this.#ignoreCase = true;
        if (off.includes('i')) this.#ignoreCase = false;
        // Flags alone hold until the end of the group that they stand in. The other flags change nothing for topic names.
        if (end === ')') return undefined;
      }
    }
    const node = this.#choice();
    if (!this.#take(')')) throw this.#invalid('an opening parenthesis without a closing one');
    this.#ignoreCase = ignoreCase;
    return node;
  }

  #repeated(node: RegexNode): RegexNode {
    const range = this.#repetition();
    if (range === undefined) return node;
    // Lazy or not decides what is captured, not whether something matches.
    this.#take('?');
    if (this.#repetition() !== undefined) throw this.#invalid('two repetitions in a row');
    return { kind: 'repeat', node, ...range };
  }

  #repetition(): { min: number; max: number | undefined } | undefined {
    if (this.#take('*')) return { min: 0, max: undefined };
    if (this.#take('+')) return { min: 1, max: undefined };
    if (this.#take('?')) return { min: 0, max: 1 };
    const braces = /^\{(?<min>\d{1,9})(?<more>,(?<max>\d{1,9})?)?\}/.exec(this.#text.slice(this.#at));
    if (braces?.groups === undefined) return undefined;
    const { min: minText, more, max: maxText } = braces.groups;
    const min = Number(minText);
    let max: number | undefined = min;
    if (more !== undefined) max = maxText === undefined ? undefined : Number(maxText);
    if (Math.max(min, max ?? 0) > maxRepeat || (max ?? min) < min)
      throw this.#invalid(`${braces[0]} is no repetition: bounds grow and are ${maxRepeat} at most`);
    this.#at += braces[0].length;
    return { min, max };
  }

  #escape(): RegexNode {
    const character = this.#next();
    if (character === 'A') return { kind: 'begin' };
    if (character === 'z') return { kind: 'end' };
    const set = perlClass(character);
    if (set !== undefined) return { kind: 'set', set };
    return this.#literal(this.#escaped(character));
  }

  /** What `\` and this character, which was read already, stand for. */
  #escaped(character: string): string {
    const control = { t: '\t', n: '\n', r: '\r', f: '\f', v: '\v', a: '\u{7}' }[character];
    if (control !== undefined) return control;
    if (character === 'x') {
      const hex = /^(?:(?<two>[0-9A-Fa-f]{2})|\{(?<more>[0-9A-Fa-f]{1,6})\})/.exec(
        this.#text.slice(this.#at),
      );
      const code = Number.parseInt(hex?.groups?.['two'] ?? hex?.groups?.['more'] ?? '', 16);
      if (hex === null || code > 0x10_ffff) throw this.#invalid('\\x without a hexadecimal number');
      this.#at += hex[0].length;
      return String.fromCodePoint(code);
    }
    if (character === '' || /[A-Za-z0-9]/.test(character))
      throw this.#invalid(`\\${character} is not supported (neither are backreferences, \\b and \\p)`);
    return character;
  }

  #class(): CharacterSet {
    const isNegated = this.#take('^');
    const set = new Uint8Array(asciiSize);
    let isFirst = true;
    while (isFirst || !this.#isNext(']')) {
      if (this.#at >= this.#text.length) throw this.#invalid('a [ without a ]');
      isFirst = false;
      const posix = /^\[:(?<negated>\^?)(?<name>[a-z]+):\]/.exec(this.#text.slice(this.#at));
      if (posix?.groups !== undefined) {
        this.#at += posix[0].length;
        const named = posixClass(posix.groups['name'] ?? '');
        if (named === undefined) throw this.#invalid(`${posix[0]} is no class of characters`);
        add(set, posix.groups['negated'] === '^' ? inverse(named) : named);
        continue;
      }
      const low = this.#classCharacter();
      if (low instanceof Uint8Array) {
        add(set, low);
        continue;
      }
      let high: string | CharacterSet = low;
      if (this.#isNext('-') && this.#text[this.#at + 1] !== ']' && this.#at + 1 < this.#text.length) {
        this.#at += 1;
        high = this.#classCharacter();
      }
      if (high instanceof Uint8Array || codeOf(high) < codeOf(low))
        throw this.#invalid('a range that does not grow');
      const from = codeOf(low);
      const to = codeOf(high);
      add(set, this.#withCase(setOf((code) => code >= from && code <= to)));
    }
    this.#at += 1;
    return isNegated ? inverse(set) : set;
  }

  #classCharacter(): string | CharacterSet {
    const character = this.#next();
    if (character !== '\\') return character;
    const escaped = this.#next();
    return perlClass(escaped) ?? this.#escaped(escaped);
  }

  #literal(character: string): RegexNode {
    const literal = codeOf(character);
    return { kind: 'set', set: this.#withCase(setOf((code) => code === literal)) };
  }

  #withCase(set: CharacterSet): CharacterSet {
    if (!this.#ignoreCase) return set;
    return setOf((code) => {
      const character = String.fromCodePoint(code);
      return set[codeOf(character.toLowerCase())] === 1 || set[codeOf(character.toUpperCase())] === 1;
    });
  }

  /** The next character, which may be two UTF-16 units; empty at the end. */
  #next(): string {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) throw this.#invalid('it ends where something has to follow');
    const character = String.fromCodePoint(code);
    this.#at += character.length;
    return character;
  }

  #isNext(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    if (!this.#isNext(text)) return false;
    this.#at += text.length;
    return true;
  }

  #invalid(problem: string): GroupError {
    return new GroupError(
      'INVALID_REGULAR_EXPRESSION',
      `${JSON.stringify(this.#text.slice(0, 200))} is no regular expression in the syntax of RE2: at ${this.#at}: ${problem}`,
    );
  }
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

function setOf(has: (code: number) => boolean): CharacterSet {
  return Uint8Array.from({ length: asciiSize }, (_, code) => (has(code) ? 1 : 0));
}

function inverse(set: CharacterSet): CharacterSet {
  return set.map((is) => 1 - is);
}

function add(set: CharacterSet, other: CharacterSet): void {
  for (const [code, is] of other.entries()) if (is === 1) set[code] = 1;
}

function matching(pattern: RegExp): CharacterSet {
  return setOf((code) => pattern.test(String.fromCodePoint(code)));
}

const perlClasses: Readonly<Record<string, CharacterSet>> = {
  d: matching(/[0-9]/),
  w: matching(/[0-9A-Za-z_]/),
  s: matching(/[\t\n\f\r ]/),
};

/** `\d`, `\w`, `\s` and their opposites. */
function perlClass(letter: string): CharacterSet | undefined {
  const set = perlClasses[letter];
  if (set !== undefined) return set;
  const opposite = /[DWS]/.test(letter) ? perlClasses[letter.toLowerCase()] : undefined;
  return opposite === undefined ? undefined : inverse(opposite);
}

const posixClasses: Readonly<Record<string, CharacterSet>> = {
  alnum: matching(/[0-9A-Za-z]/),
  alpha: matching(/[A-Za-z]/),
  ascii: setOf(() => true),
  blank: matching(/[\t ]/),
  cntrl: setOf((code) => code < 32 || code === 127),
  digit: matching(/[0-9]/),
  graph: matching(/[!-~]/),
  lower: matching(/[a-z]/),
  print: matching(/[ -~]/),
  punct: matching(/[!-/:-@[-`{-~]/),
  space: matching(/[\t\n\v\f\r ]/),
  upper: matching(/[A-Z]/),
  word: matching(/[0-9A-Za-z_]/),
  xdigit: matching(/[0-9A-Fa-f]/),
};

function posixClass(name: string): CharacterSet | undefined {
  return posixClasses[name];
}
