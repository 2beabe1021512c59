// Moves bytes: the stream and requests.
//
// Owns the socket. Knows neither what the bytes mean nor when to try again: the recorder is told
// what happened (`news`) and decides.

import { Kind } from "./wasm.js";

/** Tells the recorder; `bytes`: a frame or an answer's body. */
export type News = (kind: number, bytes: Uint8Array, ...numbers: number[]) => void;

const NONE = new Uint8Array();
/** A request without an answer after this long has failed, ms. */
const REQUEST_MAX = 30_000;

/** The ways up to one collector. */
export function transport(endpoint: string, key: string, news: News) {
  let socket: WebSocket | undefined;
  const address = (path: string) => `${endpoint}/v1/${path}?key=${key}`;
  const told = (event: Event) => {
    // What a socket says after it was closed from here is not heard.
    if (event.target !== socket) return;
    if (event.type === "open") news(Kind.OPENED, NONE);
    else if (event.type === "message") news(Kind.FRAME, new Uint8Array((event as MessageEvent).data));
    // An error is always followed by a close, which has the code.
    else if (event.type === "close") news(Kind.CLOSED, NONE, (event as CloseEvent).code);
  };
  return {
    open(): void {
      try {
        // http → ws, https → wss.
        socket = new WebSocket(address("stream").replace("http", "ws"));
        socket.binaryType = "arraybuffer";
        socket.onopen = socket.onmessage = socket.onclose = told;
      } catch {
        news(Kind.CLOSED, NONE, 0);
      }
    },
    close(): void {
      const closing = socket;
      socket = undefined;
      closing?.close();
    },
    send(bytes: Uint8Array<ArrayBuffer>): void {
      try {
        // What fails here is closed as well, and that is heard.
        socket?.send(bytes);
      } catch {}
    },
    /** `number`: what its end is told with. */
    async post(number: number, body: Uint8Array<ArrayBuffer>, keepalive: boolean): Promise<void> {
      let answer = NONE;
      let status = 0;
      let wait = 0;
      try {
        // Bytes without a type: a simple request, which needs no preflight.
        const send = (keepalive: boolean) =>
          fetch(address("batch"), {
            method: "POST",
            body,
            credentials: "omit",
            keepalive,
            signal: AbortSignal.timeout(REQUEST_MAX),
          });
        // What may outlive a page is 64 KiB together with all that others of the page send so.
        const sent = keepalive ? send(true).catch(() => send(false)) : send(false);
        const response = await sent;
        status = response.status;
        // Seconds, or a date.
        const asked = response.headers.get("retry-after") ?? "";
        wait = +asked * 1000 || Date.parse(asked) - Date.now() || 0;
        if (response.ok) answer = new Uint8Array(await response.arrayBuffer());
      } catch {
        // The status alone says that it is on disk; without one nothing arrived that we know of.
      }
      news(Kind.POSTED, answer, number, status, wait);
    },
  };
}
