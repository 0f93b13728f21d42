import { assemble } from './wat-assembler.ts';

/**
 * The blocks of LZ4 and Snappy, decoded by WebAssembly that is written here: 7 and 4 GiB/s on JSON, where JavaScript did
 * 1.2 (docs/decisions/0006). They allocate nothing and never trap, whatever bytes they are given.
 *
 * Both work within one memory. They read `[s, end)` and write `[d, limit)`, and around 32 bytes beyond each, since bytes are
 * copied sixteen at a time: whoever lays out the memory leaves {@link slackBytes} after both. All comparisons are unsigned
 * differences of two addresses of one range, which cannot wrap around.
 *
 * ```
 * LZ4:    { token u8 (literal count << 4 | match length - 4; 15: more bytes follow, each added, up to one that is not 255),
 *           literals, offset u16 LE, more match length }…, the last sequence ends after its literals
 * Snappy: { tag u8, its lowest two bits
 *             0  literal: length - 1 in the upper six bits, 60 to 63: in the next one to four bytes, LE; then the literal
 *             1  copy: 0bOOOLLL01, length L + 4, offset O << 8 | next byte
 *             2  copy: length - 1 in the upper six bits, offset u16 LE     3  the same, offset u32 LE }…
 * ```
 */
export interface BlockDecoders {
  readonly memory: {
    /** Another one after each `grow`; the one before has then length 0. */
    readonly buffer: ArrayBuffer;
    /** By pages of 64 KiB; a system call, no copy. */
    grow(pages: number): number;
  };
  /**
   * @param history the lowest address that a match may reach
   * @returns the end of what was written, {@link blockCorrupt}, or {@link blockTooLarge}: it would go beyond `limit`
   */
  readonly lz4: (s: number, end: number, d: number, limit: number, history: number) => number;
  /** @returns the end of what was written, or {@link blockCorrupt}, also for what goes beyond `limit` */
  readonly snappy: (s: number, end: number, d: number, limit: number) => number;
}

export const blockCorrupt = -1;
export const blockTooLarge = -2;
export const slackBytes = 64;

/** `$len += ` the bytes that follow, up to the first that is not 255. 4 MiB of them do not overflow. */
const readMoreLength = (label: string): string => `
  (loop ${label}
    (br_if $corrupt (i32.ge_u (local.get $s) (local.get $end)))
    (local.set $b (i32.load8_u (local.get $s)))
    (local.set $s (i32.add (local.get $s) (i32.const 1)))
    (local.set $len (i32.add (local.get $len) (local.get $b)))
    (br_if ${label} (i32.eq (local.get $b) (i32.const 255))))`;

/** `$len` bytes from `$s` to `$d`, both moved on. */
const copyLiterals = `
  (v128.store (local.get $d) (v128.load (local.get $s)))
  (if (i32.gt_u (local.get $len) (i32.const 16)) (then
    (local.set $b (i32.const 16))
    (loop $literals
      (v128.store (i32.add (local.get $d) (local.get $b)) (v128.load (i32.add (local.get $s) (local.get $b))))
      (local.set $b (i32.add (local.get $b) (i32.const 16)))
      (br_if $literals (i32.lt_u (local.get $b) (local.get $len))))))
  (local.set $s (i32.add (local.get $s) (local.get $len)))
  (local.set $d (i32.add (local.get $d) (local.get $len)))`;

/** `$len` bytes from `$off` bytes before `$d`, which they may overlap and so repeat; `$d` is moved on. */
const copyMatch = `
  (local.set $m (i32.sub (local.get $d) (local.get $off)))
  (local.set $e (i32.add (local.get $d) (local.get $len)))
  (if (i32.ge_u (local.get $off) (i32.const 16))
    (then
      (loop $sixteen
        (v128.store (local.get $d) (v128.load (local.get $m)))
        (local.set $d (i32.add (local.get $d) (i32.const 16)))
        (local.set $m (i32.add (local.get $m) (i32.const 16)))
        (br_if $sixteen (i32.lt_u (local.get $d) (local.get $e)))))
    (else
      (if (i32.lt_u (local.get $off) (i32.const 8)) (then
        ;; Sixteen bytes one by one; the pattern then repeats at the largest multiple of its length up to sixteen.
        (local.set $b (i32.const 16))
        (loop $one
          (i32.store8 (local.get $d) (i32.load8_u (local.get $m)))
          (local.set $d (i32.add (local.get $d) (i32.const 1)))
          (local.set $m (i32.add (local.get $m) (i32.const 1)))
          (br_if $one (local.tee $b (i32.sub (local.get $b) (i32.const 1)))))
        (local.set $m (i32.sub (local.get $d)
          (i32.mul (local.get $off) (i32.div_u (i32.const 16) (local.get $off)))))))
      (loop $eight
        (i64.store (local.get $d) (i64.load (local.get $m)))
        (local.set $d (i32.add (local.get $d) (i32.const 8)))
        (local.set $m (i32.add (local.get $m) (i32.const 8)))
        (br_if $eight (i32.lt_u (local.get $d) (local.get $e))))))
  (local.set $d (local.get $e))`;

const text = `
(module
  (memory (export "memory") 1)

  (func (export "lz4")
    (param $s i32) (param $end i32) (param $d i32) (param $limit i32) (param $history i32) (result i32)
    (local $token i32) (local $len i32) (local $b i32) (local $m i32) (local $off i32) (local $e i32)
    (block $corrupt
      (block $large
        (loop $sequence
          (br_if $corrupt (i32.ge_u (local.get $s) (local.get $end)))
          (local.set $token (i32.load8_u (local.get $s)))
          (local.set $s (i32.add (local.get $s) (i32.const 1)))
          (local.set $len (i32.shr_u (local.get $token) (i32.const 4)))
          (if (i32.eq (local.get $len) (i32.const 15)) (then ${readMoreLength('$more')}))
          (br_if $corrupt (i32.gt_u (local.get $len) (i32.sub (local.get $end) (local.get $s))))
          (br_if $large (i32.gt_u (local.get $len) (i32.sub (local.get $limit) (local.get $d))))
          ${copyLiterals}
          (if (i32.eq (local.get $s) (local.get $end)) (then (return (local.get $d))))

          (br_if $corrupt (i32.lt_u (i32.sub (local.get $end) (local.get $s)) (i32.const 2)))
          (local.set $off (i32.load16_u (local.get $s)))
          (local.set $s (i32.add (local.get $s) (i32.const 2)))
          ;; An offset of 0 wraps around to the greatest number.
          (br_if $corrupt (i32.ge_u
            (i32.sub (local.get $off) (i32.const 1)) (i32.sub (local.get $d) (local.get $history))))
          (local.set $len (i32.and (local.get $token) (i32.const 15)))
          (if (i32.eq (local.get $len) (i32.const 15)) (then ${readMoreLength('$yet')}))
          (local.set $len (i32.add (local.get $len) (i32.const 4)))
          (br_if $large (i32.gt_u (local.get $len) (i32.sub (local.get $limit) (local.get $d))))
          ${copyMatch}
          (br $sequence))
        (unreachable))
      (return (i32.const ${blockTooLarge})))
    (i32.const ${blockCorrupt}))

  (func (export "snappy")
    (param $s i32) (param $end i32) (param $d i32) (param $limit i32) (result i32)
    (local $tag i32) (local $len i32) (local $b i32) (local $m i32) (local $off i32) (local $e i32)
    (local $start i32)
    (local.set $start (local.get $d))
    (block $corrupt
      (loop $element
        (if (i32.ge_u (local.get $s) (local.get $end)) (then (return (local.get $d))))
        (local.set $tag (i32.load8_u (local.get $s)))
        (local.set $s (i32.add (local.get $s) (i32.const 1)))
        (local.set $len (i32.add (i32.shr_u (local.get $tag) (i32.const 2)) (i32.const 1)))
        (if (i32.eqz (i32.and (local.get $tag) (i32.const 3))) (then
          (if (i32.gt_u (local.get $len) (i32.const 60)) (then
            (local.set $b (i32.sub (local.get $len) (i32.const 60)))
            (br_if $corrupt (i32.gt_u (local.get $b) (i32.sub (local.get $end) (local.get $s))))
            (local.set $len (i32.load (local.get $s)))
            (local.set $s (i32.add (local.get $s) (local.get $b)))
            (if (i32.lt_u (local.get $b) (i32.const 4)) (then
              (local.set $len (i32.and (local.get $len)
                (i32.sub (i32.shl (i32.const 1) (i32.shl (local.get $b) (i32.const 3))) (i32.const 1))))))
            (br_if $corrupt (i32.eq (local.get $len) (i32.const -1)))
            (local.set $len (i32.add (local.get $len) (i32.const 1)))))
          (br_if $corrupt (i32.gt_u (local.get $len) (i32.sub (local.get $end) (local.get $s))))
          (br_if $corrupt (i32.gt_u (local.get $len) (i32.sub (local.get $limit) (local.get $d))))
          ${copyLiterals}
          (br $element)))

        (if (i32.eq (i32.and (local.get $tag) (i32.const 3)) (i32.const 1))
          (then
            (br_if $corrupt (i32.ge_u (local.get $s) (local.get $end)))
            (local.set $len
              (i32.add (i32.and (i32.shr_u (local.get $tag) (i32.const 2)) (i32.const 7)) (i32.const 4)))
            (local.set $off (i32.or
              (i32.shl (i32.and (local.get $tag) (i32.const 224)) (i32.const 3)) (i32.load8_u (local.get $s))))
            (local.set $s (i32.add (local.get $s) (i32.const 1))))
          (else
            (if (i32.eq (i32.and (local.get $tag) (i32.const 3)) (i32.const 2))
              (then
                (br_if $corrupt (i32.lt_u (i32.sub (local.get $end) (local.get $s)) (i32.const 2)))
                (local.set $off (i32.load16_u (local.get $s)))
                (local.set $s (i32.add (local.get $s) (i32.const 2))))
              (else
                (br_if $corrupt (i32.lt_u (i32.sub (local.get $end) (local.get $s)) (i32.const 4)))
                (local.set $off (i32.load (local.get $s)))
                (local.set $s (i32.add (local.get $s) (i32.const 4)))))))
        (br_if $corrupt (i32.ge_u
          (i32.sub (local.get $off) (i32.const 1)) (i32.sub (local.get $d) (local.get $start))))
        (br_if $corrupt (i32.gt_u (local.get $len) (i32.sub (local.get $limit) (local.get $d))))
        ${copyMatch}
        (br $element))
      (unreachable))
    (i32.const ${blockCorrupt})))
`;

/** Its types come with those of browsers, which we do not have. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

let compiled: object | undefined;

/** With a memory of its own, of 64 KiB at first; it can grow and never shrinks. The first call takes 8 ms. */
export function instantiateBlockDecoders(): BlockDecoders {
  compiled ??= new WebAssembly.Module(assemble(text));
  return new WebAssembly.Instance(compiled).exports as BlockDecoders;
}
