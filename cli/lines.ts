/** A line longer than this is no line: something that is not text is being read. */
const maxLineBytes = 64 * 1024 * 1024;

/**
 * The lines of a stream of bytes, without their ends (LF or CRLF), in the groups in which they came: what a person types
 * is there at once, and what is piped comes many lines at a time. The last line need not have an end.
 */
export async function* linesOf(
  input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<readonly Buffer[], void, undefined> {
  let begun: Buffer[] = [];
  let begunBytes = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
      lines.push(withoutReturn(Buffer.concat([...begun, bytes.subarray(start, end)])));
      begun = [];
      begunBytes = 0;
      start = end + 1;
    }
    if (start < bytes.length) {
      begun.push(Buffer.from(bytes.subarray(start)));
      begunBytes += bytes.length - start;
      if (begunBytes > maxLineBytes)
        throw new RangeError(`a line has more than ${maxLineBytes} bytes: is the input text?`);
    }
    if (lines.length > 0) yield lines;
  }
  if (begun.length > 0) yield [Buffer.concat(begun)];
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
}
