import { covers, federationProblem, type Scope } from "@mosaicstack/federation-protocol";
import { findResource, type ResourceDefinition, type Visibility } from "@mosaicstack/resources";
import type { PeerBounds } from "@mosaicstack/storage";

/**
 * The resource of that name, if the scope covers it. One outside the scope and one that does not exist are refused alike.
 *
 * @throws Problem `resource_not_in_scope`
 */
export function coveredResource(scope: Scope, name: string): ResourceDefinition {
  const definition = findResource(name);
  if (definition === undefined || !covers(scope, name)) throw federationProblem("resource_not_in_scope");
  return definition;
}

/** The first wall: the scope narrows what the subject sees; the subject's memberships are looked up by the read itself. */
export function visibilityOf(subjectUserId: string, scope: Scope): Visibility {
  return { userId: subjectUserId, personal: scope.includePersonal, teams: scope.includeTeams };
}

/**
 * The second wall: what the database lets a read see, whatever its statement says. Of what the grant reaches as little as the
 * question needs: a resource that the scope does not cover is never within it, also where a verb did not look.
 *
 * @param resources that the read needs
 */
export function boundsOf(
  subjectUserId: string,
  scope: Scope,
  resources: readonly Pick<ResourceDefinition, "name" | "from">[],
): PeerBounds {
  return {
    subjectUserId,
    personal: scope.includePersonal,
    teams: scope.includeTeams,
    resources: resources.filter(({ name }) => covers(scope, name)).map(({ from }) => from.table),
  };
}
