// The page the session is played on, and the session: the same for every contender.
// Owns what a visitor does, in which order and how fast. Knows no contender.

const CARDS = 160;

/** What must never leave a browser. */
export const CANARY = "4242424242424242";
/** Presses the session makes with the mouse. */
export const PRESSES = 22;

const card = (n) => `<article class="card" data-sku="${n}"><h3>Kettle ${n}</h3><p>Holds <b>${n % 7}</b> litres.</p>
<button class="buy" id="buy-${"abcdefghij"[n % 10]}${"klmnopqrst"[Math.floor(n / 10) % 10]}${n > 99 ? "x" : ""}">Add to basket</button><a href="#kettle">More</a></article>`;

/** The page of more than 1,000 elements; `script`: the contender's own module. */
export const page = (script) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Kettles</title>
<link rel="icon" href="data:,">
<script>
  window.pressed = 0;
  addEventListener("pointerdown", () => { window.pressed += 1; }, { capture: true, passive: true });
</script>
${script ? `<script type="module" src="${script}"></script>` : ""}
<style>
  body { margin: 0; font: 16px sans-serif; } main { display: grid; grid-template-columns: repeat(4, 1fr); gap: 16px; padding: 16px; }
  .card { border: 1px solid #ccc; padding: 8px; } button { padding: 8px 12px; } #gallery { width: 400px; overflow-x: auto; white-space: nowrap; }
  #gallery span { display: inline-block; width: 300px; height: 80px; background: #def; margin: 4px; } form { padding: 16px; display: grid; gap: 8px; width: 300px; }
</style></head><body>
<header><nav><a id="home" href="/">Home</a> <a id="route" href="/kettles/red">Red ones</a></nav>
<button id="dead">Offers</button> <output id="count">0</output></header>
<form id="checkout"><input name="name" autocomplete="name" placeholder="Name"><input name="card" autocomplete="cc-number" placeholder="Card">
<textarea name="note"></textarea><button id="pay">Pay</button></form>
<div id="gallery">${"<span></span>".repeat(12)}</div>
<main>${Array.from({ length: CARDS }, (_, n) => card(n)).join("")}</main>
<script>
  document.querySelector("main").addEventListener("click", (event) => {
    if (event.target.matches(".buy")) { count.textContent = +count.textContent + 1; event.target.classList.toggle("in"); event.target.textContent = "In the basket"; }
  });
  checkout.addEventListener("submit", (event) => { event.preventDefault(); count.textContent = "Paid"; });
  route.addEventListener("click", (event) => { event.preventDefault(); history.pushState({}, "", route.href); document.title = "Red kettles"; count.textContent = "Red"; });
</script></body></html>`;

/** Plays about 30 s of a visit with the driver's own mouse, wheel and keys; ends before leaving. */
export async function play(tab) {
  const wait = (ms) => tab.waitForTimeout(ms);
  const centre = async (selector) => {
    const box = await tab.locator(selector).first().boundingBox();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const press = async (selector) => {
    const [x, y] = await centre(selector);
    await tab.mouse.move(x, y, { steps: 12 });
    await tab.mouse.down();
    await tab.mouse.up();
  };
  const wander = async () => {
    for (let turn = 0; turn < 6; turn++) {
      await tab.mouse.move(200 + 120 * ((turn * 7) % 6), 150 + 70 * ((turn * 5) % 6), { steps: 15 });
      await wait(120);
    }
  };
  await wander();
  for (const n of [1, 2, 3]) {
    await press(`[data-sku="${n}"] .buy`);
    await wait(500);
  }
  await press("#dead");
  await wait(2_800);
  for (let turn = 0; turn < 8; turn++) {
    await tab.mouse.wheel(0, 240);
    await wait(220);
  }
  await wander();
  for (const n of [17, 18, 21, 22]) {
    await press(`[data-sku="${n}"] .buy`);
    await wait(400);
  }
  const [x, y] = await centre('[data-sku="22"] .buy');
  await tab.mouse.move(x, y, { steps: 5 });
  for (let n = 0; n < 4; n++) {
    await tab.mouse.down();
    await tab.mouse.up();
    await wait(150);
  }
  await wait(1_500);
  for (let turn = 0; turn < 8; turn++) {
    await tab.mouse.wheel(0, -260);
    await wait(160);
  }
  await wait(500);
  for (const [field, text] of [["name", "Nobody"], ["card", CANARY], ["note", `My card is ${CANARY}`]]) {
    await press(`[name="${field}"]`);
    await tab.keyboard.type(text, { delay: 25 });
  }
  await press("#pay");
  await wait(600);
  await press("#route");
  await wait(1_000);
  await wander();
  for (const n of [4, 5, 6, 7, 4]) {
    await press(`[data-sku="${n}"] .buy`);
    await wait(450);
  }
  // Rests over something, as people do before they go.
  await tab.mouse.move(...(await centre("#home")), { steps: 10 });
  await wait(1_200);
}
