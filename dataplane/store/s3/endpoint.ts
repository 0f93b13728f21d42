import net from 'node:net';
import type { HttpOrigin } from './http/http-connection.ts';
import { encodeUriPath } from './uri-encoding.ts';

/** Where a bucket is served, and how its objects are addressed there. */
export interface S3Endpoint {
  readonly origin: HttpOrigin;
  /** The `Host` header. */
  readonly host: string;
  /** The path of the bucket itself: `/`, or with path-style addressing `/bucket`. */
  readonly bucketPath: string;
  /** What an object's (encoded) key is appended to: ends in `/`. */
  readonly objectPath: string;
  readonly pathStyle: boolean;
  /** Without the bucket. */
  readonly url: string;
}

export interface EndpointOptions {
  readonly bucket: string;
  readonly region: string;
  readonly endpoint?: string | undefined;
  readonly pathStyle?: boolean | undefined;
  readonly ca?: string | undefined;
}

/** Throws a TypeError that says what is wrong with the options. */
export function resolveEndpoint(options: EndpointOptions): S3Endpoint {
  const { bucket, region } = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(bucket))
    throw new TypeError(`${JSON.stringify(bucket)} is not the name of a bucket`);
  const base = parseEndpoint(options.endpoint ?? awsEndpoint(region));
  const isAddress = net.isIP(hostnameOf(base)) !== 0;
  // A certificate for *.s3.region.amazonaws.com does not cover a bucket name with dots.
  const fitsHostName =
    /^[a-z0-9-]+$/.test(bucket) || (bucket === bucket.toLowerCase() && base.protocol === 'http:');
  const pathStyle = options.pathStyle ?? (options.endpoint !== undefined || !fitsHostName);
  if (!pathStyle && isAddress)
    throw new TypeError(
      `the endpoint ${base.origin} is an address: virtual-host style needs a name, set pathStyle`,
    );
  const url = new URL(base);
  if (!pathStyle) url.hostname = `${bucket}.${base.hostname}`;
  const basePath = base.pathname.replace(/\/+$/, '');
  const bucketPath = pathStyle ? `${basePath}/${encodeUriPath(bucket)}` : `${basePath}/`;
  return {
    origin: {
      hostname: hostnameOf(url),
      port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
      secure: url.protocol === 'https:',
      ca: options.ca,
    },
    host: url.host,
    bucketPath,
    objectPath: pathStyle ? `${bucketPath}/` : bucketPath,
    pathStyle,
    url: base.origin + basePath,
  };
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.parse(endpoint);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new TypeError(`the endpoint ${JSON.stringify(endpoint)} is not an http:// or https:// URL`);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new TypeError(
      `the endpoint at ${url.host} has more than a host and a path; remove credentials and query`,
    );
  return url;
}

function awsEndpoint(region: string): string {
  if (!/^[a-z0-9-]+$/.test(region)) throw new TypeError(`${JSON.stringify(region)} is not an AWS region`);
  return `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** Without the brackets of an IPv6 address. */
function hostnameOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}
