import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assemble } from './wat-assembler.ts';

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => {
    readonly exports: Record<string, (...values: number[]) => number>;
  };
};

function run(body: string, ...values: number[]): number | undefined {
  const text = `(module (memory (export "memory") 1)
    (func (export "run") (param $x i32) (param $y i32) (result i32) (local $z i32) ${body}))`;
  return new WebAssembly.Instance(new WebAssembly.Module(assemble(text))).exports['run']?.(...values);
}

test('assembles the same bytes as other assemblers', () => {
  const text = `
    (module
      (memory (export "memory") 1) ;; of one page
      (func (export "twice") (param $x i32) (result i32) (local $y i32)
        (local.set $y (i32.add (local.get $x) (local.get $x)))
        (local.get $y)))`;
  // By wabt 1.0.39.
  const expected =
    '0061736d01000000' + // magic, version
    '0106 01 60 01 7f 01 7f' + // type: i32 → i32
    '0302 01 00' + // a function of it
    '0503 01 00 01' + // memory
    '0712 02 06 6d656d6f7279 02 00 05 7477696365 00 00' + // exports
    '0a0f 01 0d 01 01 7f 20 00 20 00 6a 21 01 20 01 0b'; // code
  assert.equal(Buffer.from(assemble(text)).toString('hex'), expected.replaceAll(' ', ''));
});

test('numbers of all sizes', () => {
  for (const value of [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, 2 ** 31 - 1, -(2 ** 31)]) {
    assert.equal(run(`(i32.const ${value})`, 0, 0), value);
  }
});

test('blocks, loops, branches by name and both arms', () => {
  const sum = `
    (block $done
      (loop $again
        (br_if $done (i32.eqz (local.get $x)))
        (local.set $z (i32.add (local.get $z) (local.get $x)))
        (local.set $x (i32.sub (local.get $x) (i32.const 1)))
        (br $again)))
    (local.get $z)`;
  assert.equal(run(sum, 10, 0), 55);
  const arms = `
    (block $out
      (if (i32.gt_u (local.get $x) (local.get $y))
        (then (local.set $z (i32.const 1)) (br $out))
        (else (local.set $z (i32.const 2))))
      (local.set $z (i32.mul (local.get $z) (i32.const 10))))
    (local.get $z)`;
  assert.equal(run(arms, 2, 1), 1);
  assert.equal(run(arms, 1, 2), 20);
  assert.equal(
    run('(if (local.get $x) (then (return (local.tee $y (i32.const 7))))) (local.get $y)', 1, 3),
    7,
  );
  assert.equal(
    run('(if (local.get $x) (then (return (local.tee $y (i32.const 7))))) (local.get $y)', 0, 3),
    3,
  );
});

test('memory of all widths', () => {
  const copy = `
    (i32.store8 (i32.const 3) (local.get $x))
    (i64.store (i32.const 16) (i64.load (i32.const 0)))
    (v128.store (i32.const 32) (v128.load (i32.const 16)))
    (i32.add (i32.load8_u (i32.const 35)) (i32.add (i32.load16_u (i32.const 34)) (i32.load (i32.const 32))))`;
  assert.equal(run(copy, 5, 0), 5 + (5 << 8) + (5 << 24));
});

test('refuses what it does not know', () => {
  const broken = (body: string, message: RegExp): void => {
    assert.throws(() => run(body, 0, 0), message);
  };
  broken('(i32.popcnt (local.get $x))', /i32\.popcnt/);
  broken('(local.get $w)', /\$w is declared/);
  broken('(br $nowhere)', /\$nowhere is declared/);
  broken('(local.get $x', /parentheses match/);
  broken('(local.get $x))', /parentheses match/);
  broken('local.get', /list in parentheses/);
});
