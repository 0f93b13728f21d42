import { defineApi } from '../api.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { array, int16, string } from '../field.ts';

export const saslHandshake = defineApi({
  key: 17,
  name: 'SaslHandshake',
  versions: '0-1',
  flexible: 'none',
  request: {
    mechanism: string(),
  },
  response: {
    errorCode: int16(),
    mechanisms: array(string()),
  },
});

export type SaslHandshakeRequest = RequestOf<typeof saslHandshake>;
export type SaslHandshakeResponse = ResponseOf<typeof saslHandshake>;
