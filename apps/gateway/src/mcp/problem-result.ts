import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import type { Problem } from "@mosaicstack/foundation";
import { visibleValue } from "./text-safety.ts";

/**
 * A refusal as a tool's result: the agent reads it and can do as `remedy` says, which a protocol error would not let it.
 * JSON in text, because `structuredContent` would have to fit the tool's output schema.
 */
export function problemResult(problem: Problem, requestId: string): CallToolResult {
  const { type: _type, title: _title, status: _status, code, detail, remedy, ...more } = problem.details;
  const told = visibleValue({ code, detail, remedy, ...more, request_id: requestId });
  return { isError: true, content: [{ type: "text", text: JSON.stringify(told) }] };
}
