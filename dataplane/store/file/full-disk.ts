import assert from 'node:assert/strict';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { StoreError } from '../errors.ts';
import { listAll } from '../list-all.ts';
import type { ObjectStore } from '../object-store.ts';
import { openFileStore } from './open-file-store.ts';
