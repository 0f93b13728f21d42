import type { TableType } from './table-type.ts';

/** A type as Iceberg writes it, for messages. */
export function tableTypeText(type: TableType): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`;
    case 'fixed':
      return `fixed(${type.lengthBytes})`;
    default:
      return type.kind;
  }
}
