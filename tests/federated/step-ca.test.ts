import { describe } from "vitest";
import { certificateAuthorityContract } from "../certificate-authority/certificate-authority-contract.ts";
import { openPrivateStepCa } from "./step-ca-authority.ts";

describe("a real step-ca as the authority", () => {
  certificateAuthorityContract(openPrivateStepCa);
});
