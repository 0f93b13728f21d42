import type { ManifestObject, ManifestValue } from './manifest-field.ts';

const dnsLabel = {
  regexp: /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  meaning: 'at most 63 lower-case letters, digits and "-", neither beginning nor ending with "-"',
} as const;

const file = { regexp: /^[^\0]+$/, meaning: 'the path of a file' } as const;

const withoutKubernetes = 'the operator is not built yet, and one machine does without it';

/**
 * The manifest of kind `Broker`: everything that can be said about a set of brokers, on one machine (`firn up -f FILE`) as
 * in Kubernetes. `docs/broker-manifest.md` is made from it (`make docs`), and the CRD will be.
 */
export const brokerManifest = {
  type: 'object',
  required: true,
  description: 'Brokers over one object store.',
  fields: {
    apiVersion: {
      type: 'enum',
      required: true,
      values: ['firn.dev/v1beta1'],
      description: 'The version of the format.',
    },
    kind: { type: 'enum', required: true, values: ['Broker'], description: 'What the manifest is about.' },
    metadata: {
      type: 'object',
      required: true,
      description: 'As of every Kubernetes resource.',
      fields: {
        name: { type: 'string', required: true, pattern: dnsLabel, description: 'The name of the cluster.' },
        namespace: {
          type: 'unbuilt',
          description: 'The namespace it lives in.',
          instead: withoutKubernetes,
        },
        labels: { type: 'unbuilt', description: 'For selectors.', instead: withoutKubernetes },
        annotations: { type: 'unbuilt', description: 'For tools.', instead: withoutKubernetes },
      },
    },
    spec: {
      type: 'object',
      required: true,
      description: 'What is wanted.',
      fields: {
        replicas: {
          type: 'int',
          default: 1,
          min: 1,
          max: 999,
          description: 'How many brokers there are, spread over the zones.',
        },
        zones: {
          type: 'list',
          default: ['local'],
          pattern: { regexp: /^[\w.-]{1,63}$/, meaning: 'at most 63 letters, digits, "-", "_" and "."' },
          description:
            'The zones that brokers are spread over, one after the other: with three zones and four brokers the first has two.',
        },
        storage: {
          type: 'object',
          required: true,
          oneOf: true,
          description: 'The object store that holds everything: `s3` or `file`.',
          fields: {
            s3: {
              type: 'object',
              description:
                'A bucket of S3 or of a store that speaks its protocol; `firn probe` says whether one can be trusted. Credentials come from where AWS clients look for them.',
              fields: {
                bucket: {
                  type: 'string',
                  required: true,
                  pattern: {
                    regexp: /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/,
                    meaning: 'the name of a bucket',
                  },
                  description: 'Its name. It must exist.',
                },
                prefix: {
                  type: 'string',
                  default: '',
                  description: 'Put in front of every key, with a `/` between them.',
                },
                region: {
                  type: 'string',
                  default: '',
                  pattern: { regexp: /^[a-z0-9-]*$/, meaning: 'a region such as eu-central-1' },
                  description: 'What requests are signed for. Without it: `AWS_REGION`.',
                },
                endpoint: {
                  type: 'string',
                  default: '',
                  pattern: {
                    regexp: /^$|^https?:\/\/[^/?#]+\/?$/,
                    meaning: 'an http or https URL without a path',
                  },
                  description: 'The URL of a store that is not AWS S3.',
                },
                forcePathStyle: {
                  type: 'bool',
                  description:
                    'Whether the bucket stands in the path of a request instead of the host name. Default: where there is an `endpoint`.',
                },
                credentialsSecretRef: {
                  type: 'unbuilt',
                  description: 'The secret with the credentials.',
                  instead: 'credentials come from where AWS clients look for them, such as AWS_ACCESS_KEY_ID',
                },
              },
            },
            file: {
              type: 'object',
              description: 'A directory of this machine. Not one of a network file system.',
              fields: {
                path: {
                  type: 'string',
                  required: true,
                  pattern: { regexp: /^[^\0]+$/, meaning: 'the path of a directory' },
                  description:
                    'Absolute, or relative to the folder of the manifest. Made when it is missing.',
                },
              },
            },
          },
        },
        listeners: {
          type: 'objects',
          maxItems: 8,
          description: 'Where clients connect. Without it: one, `internal`, on port 9092.',
          fields: {
            name: { type: 'string', required: true, pattern: dnsLabel, description: 'Names the listener.' },
            port: {
              type: 'int',
              required: true,
              min: 0,
              max: 65_535,
              description: 'The TCP port; 0 for any free one.',
            },
            type: {
              type: 'unbuilt',
              description: 'How Kubernetes makes it reachable: `ClusterIP`, `LoadBalancer` or `NodePort`.',
              instead: withoutKubernetes,
            },
            tls: {
              type: 'unbuilt',
              description: 'Certificates.',
              instead: 'listeners are plain text, and on loopback unless --host says otherwise',
            },
            authentication: {
              type: 'unbuilt',
              description: 'Who may connect.',
              instead:
                'whoever reaches a listener may use it; they are on loopback unless --host says otherwise',
            },
          },
        },
        internal: {
          type: 'object',
          oneOf: true,
          description:
            'How brokers prove to each other that they are of one cluster (docs/internal-rpc.md): all with the same `secretFile`, or each with a `certificate`. Without it the listener for other brokers is on loopback alone, which is enough for brokers of one machine.',
          fields: {
            secretFile: {
              type: 'string',
              pattern: file,
              description:
                'A file with the secret of the cluster, at least 32 bytes. Absolute, or relative to the folder of the manifest, as all paths here.',
            },
            certificate: {
              type: 'object',
              description: 'Certificates in PEM, of an authority that the cluster has for itself.',
              fields: {
                certFile: {
                  type: 'string',
                  required: true,
                  pattern: file,
                  description: 'The certificate of a broker.',
                },
                keyFile: { type: 'string', required: true, pattern: file, description: 'Its key.' },
                caFile: {
                  type: 'string',
                  required: true,
                  pattern: file,
                  description: 'The authority: whoever has a certificate of it is taken for a broker.',
                },
              },
            },
          },
        },
        schemaRegistry: {
          type: 'unbuilt',
          description: 'The schema registry of table topics.',
          instead: 'table topics use the one that is built in',
        },
        catalogs: {
          type: 'unbuilt',
          description: 'The Iceberg catalogs of table topics.',
          instead: 'table topics use the one that is built in',
        },
        config: {
          type: 'map',
          description:
            'Settings of brokers with their Kafka names, such as `max.connections`: those of docs/broker-manifest.md. Settings of the whole cluster and of topics are changed while brokers run, not here.',
        },
        pod: { type: 'unbuilt', description: 'The template of the pods.', instead: withoutKubernetes },
      },
    },
    status: {
      type: 'unbuilt',
      description: 'What the operator has found.',
      instead: '"firn status" tells how a cluster is',
    },
  },
} as const satisfies ManifestObject;

export type BrokerManifest = ManifestValue<typeof brokerManifest>;
