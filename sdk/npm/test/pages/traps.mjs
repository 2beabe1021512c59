// Pages that lay traps for whoever judges presses: what looks like rage or a dead press and is none,
// and what is one. Owns the pages and the truth about each, which follows from how it is made.

// What a trial does: presses of a thing, one by one or in quick succession.
const press = (count = 1, more = {}) => ({ count, ...more });

/** Each: name, the page's body, what is done, and how many rages and dead presses that makes. */
export const TRAPS = [
  // What works.
  trap("stepper of a field", `<button id="b" class="plus">+</button><input id="q" value="1">`, "q.value = +q.value + 1", press(5)),
  trap("stepper by its name", `<button id="b" aria-label="Increase quantity"><svg width="20" height="20"></svg></button><i id="q">1</i>`, "q.textContent = +q.textContent + 1", press(5)),
  trap("stepper without a name we know", `<button id="b">Mehr</button> <i id="q">1</i>`, "q.textContent = +q.textContent + 1", press(5)),
  trap("keypad", `<button id="b">5</button> <output id="q"></output>`, "q.textContent += 5", press(5)),
  trap("carousel: next", `<div style="overflow:hidden;width:150px"><div id="q" style="width:900px">1 2 3</div></div><button id="b" class="carousel-control-next"><svg width="20" height="20"></svg></button>`, "q.style.transform = `translateX(${n++ * -20}px)`", press(5)),
  trap("carousel: previous, by scrolling", `<div id="q" style="overflow:auto;width:150px"><div style="width:3000px">1 2 3</div></div><button id="b">Zurück</button>`, "q.scrollBy(50, 0)", press(4, { gap: 250 })),
  trap("canvas game", `<canvas id="b" width="120" height="60" style="background:#cde;cursor:pointer"></canvas>`, "b.getContext('2d').fillRect(n++ * 9, 5, 5, 5)", press(8)),
  trap("text, double-clicked", `<p id="b">Some words that are worth reading twice.</p>`, "", press(2, { gap: 60 })),
  trap("text, triple-clicked", `<p id="b">Some words that are worth reading twice.</p>`, "", press(3, { gap: 60 })),
  trap("video with its controls", `<video id="b" controls width="150" height="80"></video>`, "", press(4)),
  trap("sound started by a button", `<audio id="q" loop src="${sound()}"></audio><button id="b">Listen</button>`, "q.paused ? q.play() : q.pause()", press()),
  trap("select", `<select id="b"><option>One<option>Two</select>`, "", press(), { after: "Escape" }),
  trap("checkbox", `<input id="b" type="checkbox">`, "", press(3)),
  trap("radio, chosen already", `<input id="b" type="radio" checked>`, "", press(2)),
  trap("label of a box", `<label id="b"><input type="checkbox"> Agreed</label>`, "", press(2)),
  trap("date", `<input id="b" type="date">`, "", press()),
  trap("range", `<input id="b" type="range">`, "", press(3)),
  trap("text field", `<input id="b" value="me">`, "", press(3)),
  trap("details", `<details><summary id="b">More</summary>Text</details>`, "", press(2)),
  trap("dialog", `<dialog id="q">Hello</dialog><button id="b">Open</button>`, "q.showModal()", press()),
  trap("popover by attribute", `<div id="q" popover>Hello</div><button id="b" popovertarget="q">Open</button>`, "", press()),
  trap("popover by script", `<div id="q" popover>Hello</div><button id="b">Open</button>`, "q.togglePopover()", press()),
  trap("anchor to a place", `<a id="b" href="#q">Down</a><div style="height:900px"></div><p id="q">Here</p>`, "", press()),
  trap("back to the top", `<div style="height:80px"></div><button id="b">Top</button><div style="height:900px"></div>`, "scrollTo(0, 0)", press(), { scrolled: 40 }),
  trap("download", `<a id="b" href="data:text/plain,hi" download="hi.txt">Get it</a>`, "", press()),
  trap("mail", `<a id="b" href="mailto:nobody@shop.example">Write</a>`, "", press()),
  trap("link to a slow page", `<a id="b" href="/slow">Away</a>`, "", press()),
  trap("form sent to a slow page", `<form action="/slow"><button id="b">Send</button></form>`, "", press()),
  trap("link of a single-page app", `<a id="b" href="/trap/there">There</a><p id="q"></p>`, "event.preventDefault(); setTimeout(() => { q.textContent = 'There' }, 300)", press()),
  trap("network, 1.2 s", `<button id="b">Save</button><p id="q"></p>`, "setTimeout(() => { q.textContent = 'Saved' }, 1200)", press()),
  trap("network, 4 s, busy at once", `<button id="b">Save</button><p id="q"></p>`, "b.textContent = 'Saving…'; setTimeout(() => { q.textContent = 'Saved' }, 4000)", press()),
  trap("menu by :hover", menu("li:hover ul"), "", press()),
  trap("menu by :checked", `<style>#q{display:none}#c:checked~#q{display:block}</style><input id="c" type="checkbox" hidden><label id="b" for="c">Menu</label><ul id="q"><li>One</ul>`, "", press(2)),
  trap("menu by :target", `<style>#q{display:none}#q:target{display:block}</style><a id="b" href="#q">Menu</a><ul id="q"><li>One</ul>`, "", press()),
  trap("theme on the root", `<button id="b">Dark</button>`, "document.documentElement.dataset.theme = n++", press()),
  trap("text selected by a button", `<button id="b">Select</button><p id="q">All of this</p>`, "getSelection().selectAllChildren(q)", press()),
  trap("a field filled in", `<button id="b">Today</button><input id="q">`, "q.value = 'today'", press()),
  trap("inside a shadow root", `<x-box id="x"></x-box>`, "", press(), { at: "#x button" }),
  trap("dragged off", `<button id="b">Slide</button>`, "", press(1, { drag: true })),
  trap("pressed with the other button", `<button id="b">Right</button>`, "", press(4, { button: "right" })),
  trap("a live button by key", `<button id="b">Go</button><p id="q"></p>`, "q.textContent = n++", press(2, { key: "Enter" })),
  // What does not.
  trap("dead button", `<button id="b">Buy now</button>`, "", press(), { dead: 1 }),
  trap("dead button, double-clicked", `<button id="b">Buy now</button>`, "", press(2), { dead: 2 }),
  trap("dead button by key", `<button id="b">Buy now</button>`, "", press(1, { key: "Enter" }), { dead: 1 }),
  trap("dead link", `<a id="b" href="#">Offers</a>`, "", press(), { dead: 1 }),
  trap("dead link, prevented", `<a id="b" href="#">Offers</a>`, "event.preventDefault()", press(), { dead: 1 }),
  trap("dead link to a script", `<a id="b" href="javascript:void(0)">Offers</a>`, "", press(), { dead: 1 }),
  trap("dead role", `<div id="b" role="button" tabindex="0">Offers</div>`, "", press(), { dead: 1 }),
  trap("dead with a hand for a cursor", `<div id="b" style="cursor:pointer;width:80px">Offers</div>`, "", press(), { dead: 1 }),
  trap("dead beside what resets classes", `<p class="open a"></p><button id="b">Buy now</button>`, "document.querySelector('p').classList.remove('open'); document.querySelector('p').className = 'a'", press(), { dead: 1, first: "document.querySelector('p').className = 'a'" }),
  trap("dead after a field", `<input id="f" autofocus><button id="b">Send</button>`, "", press(), { dead: 1, focus: "#f" }),
  trap("network, 4 s, nothing shown", `<button id="b">Save</button><p id="q"></p>`, "setTimeout(() => { q.textContent = 'Saved' }, 4000)", press(), { dead: 1 }),
  trap("dead in a shadow root", `<x-box id="x" dead></x-box>`, "", press(), { at: "#x button", dead: 1 }),
  trap("rage on a dead button", `<button id="b">Buy now</button>`, "", press(4), { dead: 4, rage: 1 }),
  trap("rage on a dead link", `<a id="b" href="#">Offers</a>`, "", press(5), { dead: 5, rage: 1 }),
  trap("rage on a slow button, busy at once", `<button id="b">Pay</button><p id="q"></p>`, "b.textContent = 'Paying…'; setTimeout(() => { q.textContent = 'Paid' }, 4000)", press(5), { rage: 1 }),
  trap("rage on a slow button, busy elsewhere", `<button id="b">Pay</button><p id="q"></p>`, "if (!q.textContent) q.textContent = 'Paying…'", press(4), { dead: 3, rage: 1 }),
  trap("rage on a slow button", `<button id="b">Pay</button><p id="q"></p>`, "setTimeout(() => { q.textContent = 'Paid' }, 5000)", press(4), { dead: 4, rage: 1 }),
  trap("rage on a button with ripples", `<button id="b">Pay</button>`, "b.append(document.createElement('i'))", press(4), { rage: 1 }),
  trap("rage on a picture", `<img id="b" width="80" height="60" alt="">`, "", press(5), { rage: 1 }),
  trap("rage with a pause between, twice", `<button id="b">Buy now</button>`, "", press(3, { bursts: 2 }), { dead: 6, rage: 2 }),
];

/** These need a page of their own: they stop it, or take what a page has but one of. */
export const ALONE = [
  trap("form with a field missing", `<form onsubmit="return false"><input required><button id="b">Send</button></form>`, "", press()),
  trap("menu by :focus-within", menu("li:focus-within ul"), "", press()),
  trap("menu by :focus-within, faded in", `${menu("x")}<style>nav ul ul{display:block;opacity:0;transition:opacity .3s}nav li:focus-within ul{opacity:1}</style>`, "", press()),
  trap("focus sent elsewhere", `<button id="b">Search</button><input id="q">`, "q.focus()", press()),
  trap("new tab", `<a id="b" href="/there" target="_blank">There</a>`, "", press()),
  trap("window opened by script", `<button id="b">Open</button>`, "open('/there')", press()),
  trap("dialog that stops the page", `<button id="b">Say</button>`, "alert('Said')", press()),
  trap("dialog that is left open", `<button id="b">Say</button>`, "alert('Said')", press(), { dialogMs: 4_500 }),
  trap("dialog left open, then a call of the site's", `<button id="b">Ask</button>`, "confirm('Sure?'); upriver.track('asked')", press(), { dialogMs: 4_500 }),
  trap("dialog that opens after 1.4 s", `<button id="b">Save</button>`, "setTimeout(() => alert('Saved'), 1400)", press(), { dialogMs: 3_000 }),
  trap("files chosen", `<input id="q" type="file" hidden><button id="b">Choose</button>`, "q.click()", press(), { needs: ["chooser"] }),
  trap("whole screen", `<button id="b">Grow</button>`, "document.documentElement.requestFullscreen()", press()),
];

/** These are done with a finger. */
export const TOUCHED = [
  trap("tap that works", `<button id="b">Go</button><p id="q"></p>`, "q.textContent = n++", press()),
  trap("tap on a stepper", `<button id="b">+</button><p id="q"></p>`, "q.textContent = n++", press(4)),
  trap("tap on a menu by :hover", menu("li:hover ul"), "", press()),
  trap("tap on a dead button", `<button id="b">Buy now</button>`, "", press(), { dead: 1 }),
  trap("taps of rage on a dead button", `<button id="b">Buy now</button>`, "", press(4), { dead: 4, rage: 1 }),
];

function trap(name, body, onclick, how, { rage = 0, dead = 0, at = "#b", ...more } = {}) {
  return { name, body, onclick, how, rage, dead, at, ...more };
}

/** The page of a trap, with the SDK. */
export function trapPage({ body, onclick, at, first = "", focus }, options) {
  return `<!doctype html><html lang="en"><head><title>Trap</title><link rel="icon" href="data:,">
<style>body{margin:8px;font:14px sans-serif}ul{margin:0;padding:0;list-style:none}</style></head><body>${body}
<script>
  customElements.define("x-box", class extends HTMLElement {
    connectedCallback() {
      const root = this.attachShadow({ mode: "open" });
      root.innerHTML = "<button>Inner</button><p></p>";
      if (!this.hasAttribute("dead")) root.firstChild.onclick = () => (root.lastChild.textContent = "Pressed");
    }
  });
  let n = 1;
  ${first};
  const it = document.querySelector("#b");
  if (it) it.onclick = (event) => { ${onclick} };
  ${focus ? `document.querySelector("${focus}").focus();` : ""}
  window.downs = [];
  window.target = () => document.querySelector("${at.split(" ")[0]}");
  window.place = () => {
    const host = window.target();
    const box = (host.shadowRoot?.querySelector("button") ?? host).getBoundingClientRect();
    return { x: box.x + Math.min(box.width / 2, 60), y: box.y + box.height / 2 };
  };
  addEventListener("pointerdown", (event) => window.downs.push(event.timeStamp), true);
</script>
<script type="module">
  import * as upriver from "/upriver/index.js";
  window.upriver = upriver;
  upriver.init(${JSON.stringify(options)});
</script></body></html>`;
}

function menu(open) {
  return `<style>nav li{position:relative}nav ul ul{display:none;position:absolute;left:0;top:100%}${open}{display:block}</style>
<nav><ul><li><button id="b">Products</button><ul><li>Kettles<li>Cups</ul></li></ul></nav>`;
}

// A second of silence.
function sound() {
  const bytes = Buffer.alloc(44 + 8000, 128);
  bytes.write("RIFF\0\0\0\0WAVEfmt ", 0, "latin1");
  bytes.writeUInt32LE(36 + 8000, 4);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(8000, 24);
  bytes.writeUInt32LE(8000, 28);
  bytes.writeUInt16LE(1, 32);
  bytes.writeUInt16LE(8, 34);
  bytes.write("data", 36);
  bytes.writeUInt32LE(8000, 40);
  return `data:audio/wav;base64,${bytes.toString("base64")}`;
}
