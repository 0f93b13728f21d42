import type { ConfigEntry, ConfigValue } from '../dataplane/runtime/config-entry.ts';

/**
 * A field of a manifest. What reads manifests, the pages about them and the CRDs are made of these. Values of single
 * settings have the types of `ConfigEntry`; its `list` is a sequence here.
 */
export type ManifestField = ManifestScalar | ManifestObject | ManifestObjects | ManifestMap | UnbuiltField;

export type ManifestScalar = ConfigEntry & { readonly required?: true };

export interface ManifestObject {
  readonly type: 'object';
  readonly description: string;
  readonly required?: true;
  /** Exactly one of the fields must be there. */
  readonly oneOf?: true;
  readonly fields: ManifestFields;
}

/** A sequence of objects that are told apart by their names. */
export interface ManifestObjects {
  readonly type: 'objects';
  readonly description: string;
  readonly required?: true;
  readonly maxItems: number;
  readonly fields: ManifestFields & { readonly name: ManifestScalar };
}

/** Names that are not known here, with values that are text or can be written as text. */
export interface ManifestMap {
  readonly type: 'map';
  readonly description: string;
}

/** Part of the design, refused until it is built. */
export interface UnbuiltField {
  readonly type: 'unbuilt';
  readonly description: string;
  /** What to do today instead. A sentence without its full stop, after a semicolon. */
  readonly instead: string;
}

export type ManifestFields = Readonly<Record<string, ManifestField>>;

/** What a field is when it has been read: `undefined` where it may be missing and has no default. */
export type ManifestValue<Field> = Field extends { readonly type: 'object'; readonly fields: infer Fields }
  ? Optional<Field, ManifestValues<Fields>>
  : Field extends { readonly type: 'objects'; readonly fields: infer Fields }
    ? Optional<Field, readonly ManifestValues<Fields>[]>
    : Field extends { readonly type: 'map' }
      ? ReadonlyMap<string, ManifestText>
      : Field extends { readonly type: 'unbuilt' }
        ? undefined
        : Field extends { readonly required: true }
          ? NonNullable<ConfigValue<Field>>
          : ConfigValue<Field>;

export type ManifestValues<Fields> = { readonly [Name in keyof Fields]: ManifestValue<Fields[Name]> };

type Optional<Field, Value> = Field extends { readonly required: true } ? Value : Value | undefined;

/** A value of a map, and where it stands, for messages about it. */
export interface ManifestText {
  readonly text: string;
  /** `file:line: path` */
  readonly where: string;
}
