/**
 * JavaScript that reads one value of Avro (specification 1.12, "Binary encoding") and puts it into a column.
 *
 * Variables of the code around it: `buf` and `dv` are the batch, `p` the position, `end` of the value, `r` the row;
 * `b z c d lo hi l v x` are scratch. Reads beyond `end` are found afterwards (`p > end`): bytes of a typed array are safe to
 * read anywhere, and what was put into columns by then is taken back. Only lengths are checked before they are used.
 */
import type { MatchedField } from './match-fields.ts';
import type { FailureSites } from './failure-sites.ts';
import type { RowProblemCode } from '../row-problem.ts';
import type { Conversion } from './value-conversion.ts';

/** Where the code of one field stands. */
export interface FieldPlace {
  readonly field: MatchedField;
  /** The number in the names of its variables: `c3` the column, `w3` words, `f3` floats, `d3` definition levels, … */
  readonly index: number;
  readonly sites: FailureSites;
  /** The value ends inside the field. */
  readonly truncated: number;
  /** Source text: gives the record up. `site` is an expression. */
  fail(site: string): string;
}

const dayMicros = 86_400_000_000;

/** With the union with null around the value, if there is one. */
export function fieldCode(place: FieldPlace): string {
  const { field, index } = place;
  const { nullBranch } = field.writer;
  const present = field.column.required ? '' : `d${index}[r] = 1;`;
  const value = `${present}\n${valueCode[field.conversion](place)}`;
  if (nullBranch === undefined) return value;
  const badBranch = failure(place, 'INVALID_BRANCH', 'its union has no such branch');
  // Branches are written in one byte, 0 or 2: longer forms of the same numbers are taken for wrong.
  return `b = buf[p++];
if (b === ${nullBranch === 0 ? 2 : 0}) {
${value}
} else if (b === ${nullBranch === 0 ? 0 : 2}) {
${nullCode(place)}
} else { ${badBranch} }
${truncated(place)}`;
}

function nullCode(place: FieldPlace): string {
  const { field, index } = place;
  if (field.column.required)
    return failure(place, 'NULL_IN_REQUIRED', 'it is null, and the column is required');
  return `d${index}[r] = 0;${isBytesConversion(field.conversion) ? ` c${index}.putNull(r);` : ''}`;
}

/** Whether the column is one of values of any length. */
export function isBytesConversion(conversion: Conversion): boolean {
  return conversion === 'bytes' || conversion === 'enum' || conversion === 'fixedToBytes';
}

const valueCode: Readonly<Record<Conversion, (place: FieldPlace) => string>> = {
  boolean: (place) => `b = buf[p++];
${truncated(place)}
if (b > 1) { ${failure(place, 'INVALID_BRANCH', 'a boolean is 0 or 1')} }
w${place.index}[r] = b;`,

  int: (place) => `${readInt(place)}
w${place.index}[r] = v;`,

  intToLong: (place) => `${readInt(place)}
w${place.index}[2 * r] = v; w${place.index}[2 * r + 1] = v >> 31;`,

  intToDouble: (place) => `${readInt(place)}
f${place.index}[r] = v;`,

  long: (place) => `${readLong(place)}
w${place.index}[2 * r] = lo; w${place.index}[2 * r + 1] = hi;`,

  float: (place) => `${roomFor(place, '4')}
f${place.index}[r] = dv.getFloat32(p, true); p += 4;`,

  floatToDouble: (place) => `${roomFor(place, '4')}
f${place.index}[r] = dv.getFloat32(p, true); p += 4;`,

  double: (place) => `${roomFor(place, '8')}
f${place.index}[r] = dv.getFloat64(p, true); p += 8;`,

  timeMillis: (place) => `${readInt(place)}
if (v < 0 || v >= ${dayMicros / 1000}) { ${failure(place, 'OUT_OF_RANGE', 'it is no time of a day')} }
x = v * 1000;
w${place.index}[2 * r] = x | 0; w${place.index}[2 * r + 1] = (x / 4294967296) | 0;`,

  timeMicros: (place) => `${readLong(place)}
x = hi * 4294967296 + (lo >>> 0);
if (x < 0 || x >= ${dayMicros}) { ${failure(place, 'OUT_OF_RANGE', 'it is no time of a day')} }
w${place.index}[2 * r] = lo; w${place.index}[2 * r + 1] = hi;`,

  timestampMillis: (place) => `${readLong(place)}
x = (lo >>> 0) * 1000;
v = hi * 1000 + Math.floor(x / 4294967296);
if (v > 2147483647 || v < -2147483648) { ${failure(place, 'OUT_OF_RANGE', 'it does not fit 64 bits of microseconds')} }
w${place.index}[2 * r] = x | 0; w${place.index}[2 * r + 1] = v;`,

  bytes: (place) => `${readLength(place)}
if (!c${place.index}.put(r, buf, dv, p, l)) { ${failure(place, 'INVALID_TEXT', 'it is not UTF-8')} }
p += l;`,

  enum: (place) => `${readInt(place)}
if (v < 0 || v >= e${place.index}.count) { ${failure(place, 'INVALID_BRANCH', 'its enum has no such symbol')} }
c${place.index}.put(r, e${place.index}.bytes, e${place.index}.view, e${place.index}.starts[v], e${place.index}.starts[v + 1] - e${place.index}.starts[v]);`,

  fixed: (place) => {
    const size = fixedSize(place);
    return `${roomFor(place, String(size))}
buf.copy(w${place.index}, r * ${size}, p, p + ${size}); p += ${size};`;
  },

  fixedToBytes: (place) => `l = ${fixedSize(place)};
${roomFor(place, 'l')}
c${place.index}.put(r, buf, dv, p, l); p += l;`,

  uuidText: (place) => `${readLength(place)}
if (!readUuidText(buf, p, l, w${place.index}, r * 16)) { ${failure(place, 'INVALID_TEXT', 'it is no UUID')} }
p += l;`,

  decimal: (place) => {
    const { field, index } = place;
    const { type } = field;
    const length =
      field.writer.value.kind === 'fixed'
        ? `l = ${field.writer.value.size};\n${roomFor(place, 'l')}`
        : readLength(place);
    const digits = type.kind === 'decimal' ? type.precision : 0;
    const problem = failure(place, 'OUT_OF_RANGE', `it is no decimal of ${digits} digits`);
    const put =
      digits <= 9
        ? `w${index}[r] = e${index}.int32();`
        : digits <= 18
          ? `w${index}[2 * r] = e${index}.low(); w${index}[2 * r + 1] = e${index}.high();`
          : `e${index}.bytes.copy(w${index}, r * e${index}.bytes.length);`;
    return `${length}
if (!e${index}.read(buf, p, l)) { ${problem} }
${put}
p += l;`;
  },
};

function fixedSize({ field }: FieldPlace): number {
  return field.writer.value.kind === 'fixed' ? field.writer.value.size : 0;
}

/** Into `v`. */
function readInt(place: FieldPlace): string {
  return `b = buf[p++]; z = b & 127;
if (b > 127) { b = buf[p++]; z |= (b & 127) << 7;
if (b > 127) { b = buf[p++]; z |= (b & 127) << 14;
if (b > 127) { b = buf[p++]; z |= (b & 127) << 21;
if (b > 127) { b = buf[p++]; z |= b << 28; if (b > 15) { ${failure(place, 'INVALID_NUMBER', 'it has more than 32 bits')} } } } } }
${truncated(place)}
v = (z >>> 1) ^ -(z & 1);`;
}

/** Into `hi` and `lo`. Three parts, since bit operations have 32 bits: 28 in `z`, 28 in `c`, 8 in `d`. */
function readLong(place: FieldPlace): string {
  return `b = buf[p++]; z = b & 127; c = 0; d = 0;
if (b > 127) { b = buf[p++]; z |= (b & 127) << 7;
if (b > 127) { b = buf[p++]; z |= (b & 127) << 14;
if (b > 127) { b = buf[p++]; z |= (b & 127) << 21;
if (b > 127) { b = buf[p++]; c = b & 127;
if (b > 127) { b = buf[p++]; c |= (b & 127) << 7;
if (b > 127) { b = buf[p++]; c |= (b & 127) << 14;
if (b > 127) { b = buf[p++]; c |= (b & 127) << 21;
if (b > 127) { b = buf[p++]; d = b & 127;
if (b > 127) { b = buf[p++]; d |= b << 7; if (b > 1) { ${failure(place, 'INVALID_NUMBER', 'it has more than 64 bits')} } } } } } } } } } }
${truncated(place)}
v = z | (c << 28); x = (c >>> 4) | (d << 24); z = -(v & 1);
lo = ((v >>> 1) | (x << 31)) ^ z; hi = (x >>> 1) ^ z;`;
}

/** Into `l`: a length that fits what is left. */
function readLength(place: FieldPlace): string {
  const negative = place.sites.add('INVALID_LENGTH', sentence(place, 'it has a negative length'));
  return `${readInt(place)}
l = v;
if (l < 0 || l > end - p) { ${place.fail(`l < 0 ? ${negative} : ${place.truncated}`)} }`;
}

function roomFor(place: FieldPlace, bytes: string): string {
  return `if (${bytes} > end - p) { ${place.fail(String(place.truncated))} }`;
}

function truncated(place: FieldPlace): string {
  return `if (p > end) { ${place.fail(String(place.truncated))} }`;
}

/** What seems wrong may be what follows the value. */
function failure(place: FieldPlace, code: RowProblemCode, what: string): string {
  return place.fail(`p > end ? ${place.truncated} : ${place.sites.add(code, sentence(place, what))}`);
}

function sentence({ field }: FieldPlace, what: string): string {
  return `field ${field.writer.name}: ${what}`;
}
