export type Cell = string | number | null | undefined;

/** Columns for people: numbers to the right, all else to the left; `-` for what is not there. */
export function textTable(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = rows.map((row) =>
    row.map((cell) => ({ text: textOf(cell), right: typeof cell === 'number' })),
  );
  const columns = header.map((title, i) => ({
    title,
    width: Math.max(title.length, ...cells.map((row) => row[i]?.text.length ?? 0)),
    right: cells.length > 0 && cells.every((row) => row[i]?.right === true || row[i]?.text === '-'),
  }));
  const line = (texts: readonly string[]): string =>
    columns
      .map(({ width, right }, i) =>
        right ? (texts[i] ?? '').padStart(width) : (texts[i] ?? '').padEnd(width),
      )
      .join('  ')
      .trimEnd();
  return [header, ...cells.map((row) => row.map(({ text }) => text))].map((row) => `${line(row)}\n`).join('');
}

function textOf(cell: Cell): string {
  return cell === null || cell === undefined || cell === '' ? '-' : String(cell);
}
