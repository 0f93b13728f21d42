/** Columns of text, as wide as they need to be; numbers to the right. Lines end with a line break. */
export function textTable(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const widths = heads.map((head) => head.length);
  const isNumeric = heads.map(() => rows.length > 0);
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, String(cell).length);
      if (typeof cell !== 'number') isNumeric[column] = false;
    }
  }
  const line = (cells: readonly (string | number)[]): string => {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0;
      return isNumeric[column] === true ? String(cell).padStart(width) : String(cell).padEnd(width);
    });
    return `${padded.join('  ').trimEnd()}\n`;
  };
  return line(heads) + rows.map(line).join('');
}

/** `name: value` lines, the values below one another. */
export function textFields(
  fields: readonly (readonly [name: string, value: string | number | undefined])[],
): string {
  const shown = fields.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

/** `12 B`, `3.4 KiB`, … */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** A wall-clock time of some writer; `none` for what is before 1970. */
export function timeText(ms: number): string {
  if (ms < 0) return 'none';
  return ms > 8.64e15 ? `${ms} ms` : new Date(ms).toISOString();
}

/** Text of others as it may go to a terminal: control characters become `\\u001b` and the like. */
export function printable(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
