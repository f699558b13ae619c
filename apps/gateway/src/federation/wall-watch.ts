import { Problem } from "@mosaicstack/foundation";
import type { Store } from "@mosaicstack/storage";
import type { FastifyBaseLogger } from "fastify";

const LOOK_MS = 3_600_000;
/** While the wall is down, since whoever mends it is not to wait for the hour; and where it could not be looked at. */
const LOOK_AGAIN_MS = 60_000;

/**
 * Looks at the second wall again and again: somebody who may change the database could take it down after the start. While it is down
 * the store reads nothing for peers, so that they are answered with 503. On every replica, as each refuses by itself.
 *
 * @returns ends it
 */
export function watchSecondWall({
  store,
  log,
  lookMs = LOOK_MS,
  lookAgainMs = LOOK_AGAIN_MS,
}: {
  readonly store: Pick<Store, "checkSecondWall">;
  readonly log: Pick<FastifyBaseLogger, "error" | "info" | "warn">;
  readonly lookMs?: number;
  readonly lookAgainMs?: number;
}): () => void {
  let isDown = false;
  let isOver = false;
  let timer: NodeJS.Timeout;

  async function look(): Promise<void> {
    let waitMs = lookAgainMs;
    try {
      await store.checkSecondWall();
      if (isDown) log.info("the second wall around what peers may read stands again: peers are served");
      isDown = false;
      waitMs = lookMs;
    } catch (error) {
      if (error instanceof Problem && error.code === "peer_reader_unavailable") {
        // Once: what is refused is logged anyway.
        if (!isDown)
          log.error({ err: error, remedy: error.details.remedy }, "peers are not served: the second wall is down");
        isDown = true;
      } else {
        log.warn({ err: error }, "the second wall around what peers may read cannot be looked at");
      }
    }
    if (!isOver) lookIn(waitMs);
  }

  function lookIn(ms: number): void {
    timer = setTimeout(() => void look(), ms).unref();
  }

  lookIn(lookMs);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
