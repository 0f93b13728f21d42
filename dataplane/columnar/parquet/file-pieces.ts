/** A file as it grows, in pieces. */
export class FilePieces {
  readonly pieces: Uint8Array[] = [];
  sizeBytes = 0;

  append(piece: Uint8Array): void {
    this.pieces.push(piece);
    this.sizeBytes += piece.length;
  }
}
