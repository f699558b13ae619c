import { OWNED, type ResourceName, type World, type WorldRequest } from "./world.ts";

/**
 * What each request must be answered, worked out from the world alone: no code of the product takes part. Things are
 * named by number: `row 3`, `team 0`.
 */
export type Expected =
  /** `isBound`: these or fewer, and no others. */
  | { readonly kind: "rows"; readonly names: readonly string[]; readonly isBound?: true }
  /** The resource is outside the scope. */
  | { readonly kind: "refused" }
  /** No such row, as far as this peer may know. */
  | { readonly kind: "absent" };

export function expectedOf(world: World, request: WorldRequest): Expected {
  const scope = world.scopes[request.person]!;
  const covers = (name: ResourceName): boolean => scope.resources.includes(name) && !scope.excluded.includes(name);
  // Teams are listed, and not searched.
  const searched = OWNED.filter(covers).filter(
    (name) => request.verb === "search" && (request.everywhere || name === request.resource),
  );
  if (request.verb === "search" ? searched.length === 0 : !covers(request.resource)) return { kind: "refused" };

  const teamIsVisible = (team: number): boolean =>
    world.members[request.person]![team]! && (scope.teams === "all" || scope.teams.includes(team));
  const visible = world.rows.flatMap((row, index) => {
    const isVisible = row.team === null ? row.owner === request.person && scope.personal : teamIsVisible(row.team);
    return isVisible && covers(row.resource) ? [{ ...row, name: `row ${index}` }] : [];
  });
  const teams = world.members[request.person]!.map((_, team) => team).filter(teamIsVisible);

  switch (request.verb) {
    case "list": {
      const { resource, team } = request;
      const names =
        resource === "teams"
          ? teams.filter((one) => team === null || team === one).map((one) => `team ${one}`)
          : visible
              .filter((row) => row.resource === resource)
              .filter((row) => team === null || (team === "personal" ? row.team === null : row.team === team))
              .map(({ name }) => name);
      return { kind: "rows", names };
    }
    case "get": {
      const found = visible.some((row) => row.name === `row ${request.row}` && row.resource === request.resource);
      return found ? { kind: "rows", names: [`row ${request.row}`] } : { kind: "absent" };
    }
    case "search": {
      const { isLoose = false, topic } = request;
      const wanted = visible.filter(
        (row) => searched.includes(row.resource) && (isLoose || row.topics.includes(topic)),
      );
      return { kind: "rows", names: wanted.map(({ name }) => name), ...(isLoose ? { isBound: true } : {}) };
    }
  }
}
