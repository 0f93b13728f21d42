import { defineApi } from '../api.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { array, int16, int32, int8, string } from '../field.ts';

export const listConfigResources = defineApi({
  key: 74,
  name: 'ListConfigResources',
  versions: '0-1',
  flexible: '0+',
  request: {
    resourceTypes: array(int8(), { versions: '1+' }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    configResources: array({
      resourceName: string(),
      resourceType: int8({ versions: '1+', default: 16, ignorable: true }),
    }),
  },
});

export type ListConfigResourcesRequest = RequestOf<typeof listConfigResources>;
export type ListConfigResourcesResponse = ResponseOf<typeof listConfigResources>;
