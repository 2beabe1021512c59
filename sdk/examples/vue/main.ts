// Upriver in a Vue app: consent, an own event, a variant, a conversion, and a signal that is shown.

import { createApp, defineComponent, h, onUnmounted, ref } from "vue";
import { river } from "../river.ts";

const Consent = defineComponent(() => {
  const asked = ref(false);
  onUnmounted(river.on("state", (state) => (asked.value = state === "pending")));
  return () =>
    asked.value
      ? h("p", [
          "May we count your visit? ",
          h("button", { onClick: () => river.optIn() }, "Yes"),
          h("button", { onClick: () => river.optIn({ cookieless: true }) }, "Yes, but keep nothing"),
          h("button", { onClick: () => river.optOut() }, "No"),
        ])
      : null;
});

const Offer = defineComponent(() => {
  const percent = ref(0);
  onUnmounted(river.on("signal", ({ payload }) => (percent.value = payload.percent)));
  return () => (percent.value > 0 ? h("p", { role: "status" }, `${percent.value} % off for you, now.`) : null);
});

const App = defineComponent(() => {
  const count = ref(0);
  river.expose("button", "green");
  const add = () => river.track("added", { product: "kettle", count: ++count.value });
  const buy = () => river.convert("order", { value: 19.9 * count.value, currency: "EUR" });
  return () =>
    h("main", [
      h("h1", "Kettles"),
      h("button", { "data-upriver": "add", onClick: add }, `Add to cart (${count.value})`),
      h("button", { "data-upriver": "buy", onClick: buy }, "Buy"),
      h(Offer),
      h(Consent),
    ]);
});

createApp(App).mount("#app");
