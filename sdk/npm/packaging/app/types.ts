// What must type-check in a customer's project, and what must not.
import { convert, init, track, type Options, type State } from "upriver";
import { init as slim } from "upriver/slim";

const options: Options = { endpoint: "https://upriver.example", key: "k" };
const upriver = init(options);
upriver.on("state", (state: State) => console.info(state));
slim({ ...options, wasm: new URL("https://upriver.example/upriver.wasm") });
track("filter", { colour: "red", count: 3, on: true });
convert("order", { value: 19.9, currency: "EUR" });
// @ts-expect-error a key is needed
init({ endpoint: "https://upriver.example" });
// @ts-expect-error an object is no property
track("filter", { nested: {} });
