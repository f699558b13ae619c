import { type PeerReaderFault, peerReaderProblem } from "./peer-reader-faults.ts";

/** What a store last saw of its database's second wall. It was standing when the store was opened. */
export class SecondWall {
  readonly #look: () => Promise<PeerReaderFault | undefined>;
  readonly #address: { readonly host: string; readonly port: number } | undefined;
  #fault: PeerReaderFault | undefined;

  /**
   * @param look what is wrong with it now, by `peerReaderFault`
   * @param address where the database is served; absent where it's embedded
   */
  constructor(
    look: () => Promise<PeerReaderFault | undefined>,
    address?: { readonly host: string; readonly port: number },
  ) {
    this.#look = look;
    this.#address = address;
  }

  /**
   * Looks again. Where it can't look, what was seen before holds.
   * @throws Problem peer_reader_unavailable, and the database's own
   */
  async check(): Promise<void> {
    this.#fault = await this.#look();
    this.requireStanding();
  }

  /** @throws Problem peer_reader_unavailable where it didn't stand when it was last looked at */
  requireStanding(): void {
    if (this.#fault !== undefined) throw peerReaderProblem(this.#fault, this.#address);
  }
}
