import type { KubernetesObject, ResourceType } from './kubernetes-object.ts';

/** `coordination.k8s.io/v1`, as far as leader election goes. Times are MicroTime: RFC 3339 with six decimals. */
export interface Lease extends KubernetesObject {
  readonly apiVersion: 'coordination.k8s.io/v1';
  readonly kind: 'Lease';
  readonly spec?: LeaseSpec | undefined;
}

export interface LeaseSpec {
  /** Empty: nobody's. */
  readonly holderIdentity?: string | undefined;
  readonly leaseDurationSeconds?: number | undefined;
  readonly acquireTime?: string | undefined;
  readonly renewTime?: string | undefined;
  /** How often it went from one holder to another. */
  readonly leaseTransitions?: number | undefined;
}

export const leases: ResourceType<Lease> = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
  isNamespaced: true,
};

/** `2026-01-31T10:00:00.123000Z`. */
export function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}
