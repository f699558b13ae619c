import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { createAuthority } from "./create-authority.ts";

const USAGE = `Makes a certificate authority for step-ca, with the configuration that Mosaic needs.

  npx tsx deploy/step-ca/create-authority-command.ts --directory /etc/step-ca --host ca.example.org

  --directory   where; it must not hold one yet
  --host        a name or address that the gateway reaches step-ca by; repeat it for more
  --address     what step-ca listens on (default :9000)
  --crl-url     where the CRL can be had (default https://<first host>:<port>/1.0/crl)
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      directory: { type: "string" },
      host: { type: "string", multiple: true },
      address: { type: "string", default: ":9000" },
      "crl-url": { type: "string" },
    },
  });
  const { directory, host: hosts = [], address } = values;
  const [first] = hosts;
  if (directory === undefined || first === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const port = address.slice(address.lastIndexOf(":") + 1);
  const crlUrl = values["crl-url"] ?? `https://${first.includes(":") ? `[${first}]` : first}:${port}/1.0/crl`;
  const made = await createAuthority({ directory: resolve(directory), hosts, address, crlUrl });
  process.stdout.write(`Made ${made.directory}
Start step-ca in it:      cd ${made.directory} && step-ca --password-file secrets/password config/ca.json
Give the gateway alone:   ${made.directory}/gateway
Take away, and keep safe: ${made.directory}/secrets/root_ca_key (step-ca doesn't need it)
`);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
