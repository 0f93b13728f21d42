import assert from 'node:assert/strict';

/**
 * Assembles WebAssembly from its text format: the small part of it that `block-decoders.ts` is written in. One memory before
 * the functions, all exported, values of type i32, folded instructions `(op operand …)`, names for labels and locals:
 *
 * ```
 * (module
 *   (memory (export "memory") 1)
 *   (func (export "twice") (param $x i32) (result i32) (local $y i32)
 *     (local.set $y (i32.add (local.get $x) (local.get $x)))
 *     (local.get $y)))
 * ```
 *
 * Standard assemblers take the same text. Ours spares a dependency, a build step and a generated file.
 */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  const module = parse(text);
  assert(module[0] === 'module', 'the text is one module');
  const fields = module.slice(1).map(list);
  const functions = fields.filter((field) => field[0] === 'func').map(readFunction);
  const memory = fields.find((field) => field[0] === 'memory');
  assert(
    memory !== undefined && functions.length + 1 === fields.length,
    'a module has a memory and functions',
  );

  const types = functions.map(({ params }) => [0x60, ...vector(params.map(() => [i32])), 1, i32]);
  const exports = functions.map(({ name }, index) => [...string(name), 0x00, ...unsigned(index)]);
  const bytes = [
    ...Buffer.from('\0asm\x01\0\0\0'),
    ...section(1, vector(types)),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(5, vector([[0x00, ...unsigned(Number(memory[2]))]])),
    ...section(7, vector([[...string(exportName(memory)), 0x02, 0], ...exports])),
    ...section(10, vector(functions.map(functionBody))),
  ];
  return Uint8Array.from(bytes);
}

type Node = string | readonly Node[];
type List = readonly Node[];

interface WasmFunction {
  readonly name: string;
  readonly params: readonly string[];
  readonly locals: readonly string[];
  readonly body: List;
}

const i32 = 0x7f;
const noResult = 0x40;

/** Instructions that are their operands and then these bytes. */
const plainOps: Readonly<Record<string, readonly number[]>> = {
  unreachable: [0x00],
  return: [0x0f],
  'i32.eqz': [0x45],
  'i32.eq': [0x46],
  'i32.lt_u': [0x49],
  'i32.gt_u': [0x4b],
  'i32.ge_u': [0x4f],
  'i32.add': [0x6a],
  'i32.sub': [0x6b],
  'i32.mul': [0x6c],
  'i32.div_u': [0x6e],
  'i32.and': [0x71],
  'i32.or': [0x72],
  'i32.shl': [0x74],
  'i32.shr_u': [0x76],
  // Memory: alignment as power of two, offset 0.
  'i32.load': [0x28, 2, 0],
  'i64.load': [0x29, 3, 0],
  'i32.load8_u': [0x2d, 0, 0],
  'i32.load16_u': [0x2f, 1, 0],
  'i64.store': [0x37, 3, 0],
  'i32.store8': [0x3a, 0, 0],
  'v128.load': [0xfd, 0x00, 4, 0],
  'v128.store': [0xfd, 0x0b, 4, 0],
};
const localOps: Readonly<Record<string, number>> = {
  'local.get': 0x20,
  'local.set': 0x21,
  'local.tee': 0x22,
};
const branchOps: Readonly<Record<string, number>> = { br: 0x0c, br_if: 0x0d };
const blockOps: Readonly<Record<string, number>> = { block: 0x02, loop: 0x03 };

/** Nested lists of words; strings keep their quotes, `;;` starts a comment. */
function parse(text: string): List {
  const tokens = text.replaceAll(/;;.*/g, '').match(/[()]|"[^"]*"|[^\s()"]+/g) ?? [];
  const top: Node[] = [];
  const open: Node[][] = [top];
  for (const token of tokens) {
    if (token === '(') {
      open.push([]);
    } else if (token === ')') {
      const closed = open.pop();
      assert(closed !== undefined && open.length > 0, 'parentheses match');
      open.at(-1)?.push(closed);
    } else {
      open.at(-1)?.push(token);
    }
  }
  assert(open.length === 1 && top.length === 1, 'parentheses match');
  return list(top[0]);
}

function readFunction(field: List): WasmFunction {
  const declared = (what: string): string[] =>
    field.filter((part) => part[0] === what && part !== what).map((part) => word(part[1]));
  const body = field.slice(1).filter((part) => {
    const kind = list(part)[0];
    return kind !== 'export' && kind !== 'param' && kind !== 'result' && kind !== 'local';
  });
  return { name: exportName(field), params: declared('param'), locals: declared('local'), body };
}

function exportName(field: List): string {
  return word(list(field[1])[1]).slice(1, -1);
}

function functionBody({ params, locals, body }: WasmFunction): number[] {
  const names = [...params, ...locals];
  const code = [1, ...unsigned(locals.length), i32, ...instructions(body, names, []), 0x0b];
  return [...unsigned(code.length), ...code];
}

/** @param labels the innermost first; what a branch is given is how many lie between */
function instructions(nodes: List, names: readonly string[], labels: readonly string[]): number[] {
  return nodes.flatMap((node) => instruction(list(node), names, labels));
}

function instruction(node: List, names: readonly string[], labels: readonly string[]): number[] {
  const op = word(node[0]);
  const operands = (from: number): number[] => instructions(node.slice(from), names, labels);
  const plain = plainOps[op];
  if (plain !== undefined) return [...operands(1), ...plain];
  if (op === 'i32.const') return [0x41, ...signed(Number(node[1]))];

  const localOp = localOps[op];
  if (localOp !== undefined) return [...operands(2), localOp, ...unsigned(indexOf(names, node[1]))];
  const branchOp = branchOps[op];
  if (branchOp !== undefined) return [...operands(2), branchOp, ...unsigned(indexOf(labels, node[1]))];
  const blockOp = blockOps[op];
  if (blockOp !== undefined) {
    return [blockOp, noResult, ...instructions(node.slice(2), names, [word(node[1]), ...labels]), 0x0b];
  }
  assert(op === 'if', `the instruction ${op} is one that is known here`);
  const branch = (part: Node | undefined): number[] =>
    instructions(list(part).slice(1), names, ['(if)', ...labels]);
  const otherwise = node[3] === undefined ? [] : [0x05, ...branch(node[3])];
  return [
    ...instruction(list(node[1]), names, labels),
    0x04,
    noResult,
    ...branch(node[2]),
    ...otherwise,
    0x0b,
  ];
}

function indexOf(names: readonly string[], name: Node | undefined): number {
  const index = names.indexOf(word(name));
  assert(index >= 0, `${String(name)} is declared`);
  return index;
}

function list(node: Node | undefined): List {
  assert(typeof node === 'object', `a list in parentheses is expected, not ${String(node)}`);
  return node;
}

function word(node: Node | undefined): string {
  assert(typeof node === 'string', 'a word is expected, not a list');
  return node;
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function string(text: string): number[] {
  return [...unsigned(text.length), ...Buffer.from(text)];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}
