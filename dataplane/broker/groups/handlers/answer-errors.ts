import { errorCode } from '../../../protocol/error-code.ts';
import { GroupError } from '../errors.ts';

/** The code for a response. What is no refusal of the coordinator is passed on: the caller closes or reports. */
export function codeOf(error: unknown): number {
  if (error instanceof GroupError) return errorCode[error.code];
  throw error;
}

/** @throws GroupError INVALID_GROUP_ID */
export function requireGroupId(groupId: string): void {
  if (groupId === '') throw new GroupError('INVALID_GROUP_ID', 'a group needs an id that is not empty');
}
