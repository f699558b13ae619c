import { covers, parseScope, type Scope, type ScopeJson, scopeOf } from "@mosaicstack/federation-protocol";
import { countRows, listRows, registry, type ResourceDefinition, resourceNames } from "@mosaicstack/resources";
import type { Store } from "@mosaicstack/storage";
import { requireSubject, requireTeamsOf } from "./grant-input.ts";
import type { Actor, Grant, GrantReading } from "./grant-reading.ts";
import { requireStatus } from "./grant-states.ts";
import { boundsOf, visibilityOf } from "./stages/reach.ts";

/** Rows of a resource are counted to this many and no further. */
const MAX_COUNTED_ROWS = 10_000;
const NEWEST_ROWS = 3;

/** What a peer could read of a resource now. */
export interface ResourcePreview {
  readonly name: string;
  /** At most 10,000. */
  readonly rows: number;
  /** Whether there are more than `rows`. */
  readonly more: boolean;
  /** The newest rows as a peer is answered them, a JSON array. Undefined for anybody but the subject: they get numbers alone. */
  readonly newestJson: string | undefined;
}

export interface GrantPreview {
  /** Null: it has not been made. */
  readonly grant: Grant | null;
  readonly subject: { readonly id: string; readonly name: string | null };
  /** The one looked through, which need not be the grant's. */
  readonly scope: ScopeJson;
  /** Those that the scope covers. */
  readonly resources: readonly ResourcePreview[];
}

/** What grants give to read, looked at the way a peer reads: behind both walls. Nothing is changed. */
export interface GrantPreviews {
  /**
   * @param scope in place of the grant's own, as `edit` takes it. Default: the grant's own
   * @throws Problem `grant_not_found`, `grant_transition_refused`, `scope_invalid`, `grant_input_invalid`
   */
  preview(actor: Actor, id: string, scope?: unknown): Promise<GrantPreview>;
  /**
   * Of a grant that is not made. That only administrators ask is for the caller to see to.
   * @throws Problem `scope_invalid`, `grant_subject_unknown`, `grant_input_invalid`
   */
  previewNew(actor: Actor, wanted: { readonly subject: string; readonly scope: unknown }): Promise<GrantPreview>;
}

export function createGrantPreviews(dependencies: {
  readonly store: Store;
  readonly reading: Pick<GrantReading, "find">;
}): GrantPreviews {
  const { store, reading } = dependencies;

  async function validated(subjectId: string, scope: unknown): Promise<ScopeJson> {
    const valid = parseScope(scope, resourceNames);
    await requireTeamsOf(store, subjectId, valid);
    return valid;
  }

  async function resourcesOf(actor: Actor, subjectId: string, stored: ScopeJson): Promise<ResourcePreview[]> {
    const scope = scopeOf(stored, resourceNames);
    const previews: ResourcePreview[] = [];
    for (const definition of registry.filter(({ name }) => covers(scope, name))) {
      previews.push(await resourceOf(actor, subjectId, scope, definition));
    }
    return previews;
  }

  /** One read a resource, within the bounds that the peer's own list of it has. */
  function resourceOf(
    actor: Actor,
    subjectId: string,
    scope: Scope,
    definition: ResourceDefinition,
  ): Promise<ResourcePreview> {
    const visibility = visibilityOf(subjectId, scope);
    return store.readAsPeer(boundsOf(subjectId, scope, [definition]), async (read) => {
      const counted = await countRows(read, definition, visibility, MAX_COUNTED_ROWS + 1);
      const page =
        actor.userId === subjectId
          ? await listRows(read.last, definition, visibility, { limit: NEWEST_ROWS }, "federated")
          : undefined;
      return {
        name: definition.name,
        rows: Math.min(counted, MAX_COUNTED_ROWS),
        more: counted > MAX_COUNTED_ROWS,
        newestJson: page?.json,
      };
    });
  }

  return {
    async preview(actor, id, changed) {
      const grant = await reading.find(actor, id);
      requireStatus(grant.status, "preview");
      const { subject } = grant;
      const scope = changed === undefined ? grant.scope : await validated(subject.id, changed);
      return { grant, subject, scope, resources: await resourcesOf(actor, subject.id, scope) };
    },

    async previewNew(actor, wanted) {
      const subject = await requireSubject(store, wanted.subject);
      const scope = await validated(subject.id, wanted.scope);
      return { grant: null, subject, scope, resources: await resourcesOf(actor, subject.id, scope) };
    },
  };
}
