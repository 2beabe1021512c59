// Moves bytes: the stream and requests.
//
// Owns the socket, and that requests are compressed where the browser can, there is time and it makes
// them shorter. Knows neither what the bytes mean nor when to try again: the recorder is told what
// happened (`news`) and decides.

import { through } from "./bytes.js";
import { endpoint, news, options, turn } from "./core.js";
import { Kind } from "./wasm.js";

/** A request without an answer after this long has failed, ms. */
const REQUEST_MAX = 30_000;

let socket: WebSocket | undefined;
/** The page may be going: what is being compressed is sent as it is, in a request that outlives the page. */
export let hurry = (): void => {};

const address = (path: string) => `${endpoint}/v1/${path}?key=${options.key}`;

// What a socket says after it was closed from here is not heard.
function told(this: WebSocket, { type, data, code }: Event & { data?: ArrayBuffer; code?: number }): void {
  if (this !== socket) return;
  if (type === "open") news(Kind.OPENED);
  else if (data) news(Kind.FRAME, data);
  // An error is always followed by a close, which has the code.
  else news(Kind.CLOSED, data, code!);
}

/** Opens the stream. */
export function open(): void {
  try {
    // http → ws, https → wss.
    socket = new WebSocket(address("stream").replace("http", "ws"));
    socket.binaryType = "arraybuffer";
    socket.onopen = socket.onmessage = socket.onclose = told;
  } catch {
    news(Kind.CLOSED, undefined, 0);
  }
}

/** Closes the stream, of which nothing more is heard. */
export function close(): void {
  const closing = socket;
  socket = undefined;
  closing?.close();
}

/** Sends over the stream. */
export function send(bytes: Uint8Array<ArrayBuffer>): void {
  try {
    // What fails here is closed as well, and that is heard.
    socket?.send(bytes);
  } catch {}
}

/** Sends in a request, whose end is told with this number. */
export async function post(number: number, bytes: Uint8Array<ArrayBuffer>, keepalive: boolean): Promise<void> {
  const mine = turn;
  let answer: ArrayBuffer | undefined;
  let status = 0;
  let wait = 0;
  try {
    let body: BodyInit = bytes;
    if (!keepalive && window.CompressionStream) {
      const packed = await Promise.race([
        through(bytes, new CompressionStream("gzip")),
        new Promise<undefined>((go) => {
          hurry = () => go(((keepalive = true), undefined));
        }),
      ]);
      // What is short is only made longer by it.
      if (packed && packed.byteLength < bytes.length) body = packed;
    }
    // Bytes without a type: a simple request, which needs no preflight.
    const ask = (keepalive: boolean) =>
      fetch(address("batch"), {
        method: "POST",
        body,
        credentials: "omit",
        keepalive,
        signal: AbortSignal.timeout(REQUEST_MAX),
      });
    // What may outlive a page is 64 KiB together with all that others of the page send so.
    const response = await (keepalive ? ask(true).catch(() => ask(false)) : ask(false));
    status = response.status;
    // Seconds, or a date.
    const asked = response.headers.get("retry-after") ?? "";
    wait = +asked * 1000 || Date.parse(asked) - Date.now() || 0;
    if (response.ok) answer = await response.arrayBuffer();
  } catch {
    // The status alone says that it is on disk; without one nothing arrived that we know of.
  }
  if (mine === turn) news(Kind.POSTED, answer, number, status, wait);
}
