// Errors of the page's scripts, as the wire writes them.
//
// Owns the reading of errors and rejections. Does not know which are told again (the recorder does).

import { bytes, text as words } from "./bytes.js";
import { mask } from "./naming.js";

/** Where an error that nobody caught is from, and its bytes. Undefined: what failed to load. */
export function fault(event: Event): [string, number[]] | undefined {
  const { message, filename, lineno, colno, reason } = event as ErrorEvent & PromiseRejectionEvent;
  const rejected = event.type > "f";
  if (!rejected && message === undefined) return undefined;
  let text = message;
  // Where the browser does not say, the first place the stack names.
  let place: (string | number | undefined)[] = [filename, lineno, colno];
  if (rejected) {
    try {
      text = String(reason?.message ?? reason);
      place = /(\w+:\/\/[^\s)]+?):(\d+):(\d+)/.exec(reason.stack)?.slice(1) ?? [];
    } catch {
      // Something that cannot be told in words, or has no stack.
    }
  }
  const source = String(place[0] ?? "").replace(/[?#].*/, "");
  const [line, column] = [+(place[1] ?? 0), +(place[2] ?? 0)];
  const all = bytes(+rejected, words(mask(text ?? "")), words(source), line, column);
  return [line ? source + line + ":" + column : text, all];
}
