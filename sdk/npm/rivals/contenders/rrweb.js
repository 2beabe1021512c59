// rrweb, set up to capture as much as it does by itself.
import { record } from "@rrweb/record";
// The library brings no transport: this is the one of its guide, a batch every five seconds.
let events = [];
record({ emit: (event) => events.push(event) });
const send = () => {
  if (events.length === 0) return;
  const body = JSON.stringify({ events });
  events = [];
  // What outlives a page may not be larger.
  fetch(`${SINK}/events`, { method: "POST", body, keepalive: body.length < 60_000 });
};
setInterval(send, 5_000);
addEventListener("pagehide", send);
