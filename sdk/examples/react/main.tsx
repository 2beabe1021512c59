// Upriver in a React app: consent, an own event, a variant, a conversion, and a signal that is shown.

import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { river } from "../river.ts";

function Consent() {
  const [asked, setAsked] = useState(false);
  useEffect(() => river.on("state", (state) => setAsked(state === "pending")), []);
  if (!asked) return null;
  return (
    <p>
      May we count your visit? <button onClick={() => river.optIn()}>Yes</button>
      <button onClick={() => river.optIn({ cookieless: true })}>Yes, but keep nothing</button>
      <button onClick={() => river.optOut()}>No</button>
    </p>
  );
}

function Offer() {
  const [percent, setPercent] = useState(0);
  useEffect(() => river.on("signal", ({ payload }) => setPercent(payload.percent)), []);
  return percent > 0 ? <p role="status">{percent} % off for you, now.</p> : null;
}

function App() {
  const [count, setCount] = useState(0);
  useEffect(() => river.expose("button", "green"), []);
  const add = () => {
    setCount(count + 1);
    river.track("added", { product: "kettle", count: count + 1 });
  };
  return (
    <main>
      <h1>Kettles</h1>
      <button data-upriver="add" onClick={add}>
        Add to cart ({count})
      </button>
      <button data-upriver="buy" onClick={() => river.convert("order", { value: 19.9 * count, currency: "EUR" })}>
        Buy
      </button>
      <Offer />
      <Consent />
    </main>
  );
}

createRoot(document.getElementById("app")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
