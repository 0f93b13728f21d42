import type { Leaf } from '../parquet/parquet-schema.ts';
import { BooleanColumn } from './boolean-column.ts';
import { BytesColumn } from './bytes-column.ts';
import type { Column } from './column.ts';
import { FixedBytesColumn } from './fixed-bytes-column.ts';
import { WordColumn } from './word-column.ts';

export function newColumn(leaf: Leaf): Column {
  switch (leaf.physical) {
    case 'BOOLEAN':
      return new BooleanColumn(leaf);
    case 'INT32':
    case 'INT64':
    case 'FLOAT':
    case 'DOUBLE':
      return new WordColumn(leaf);
    case 'BYTE_ARRAY':
      return new BytesColumn(leaf);
    case 'FIXED_LEN_BYTE_ARRAY':
      return new FixedBytesColumn(leaf);
  }
}
