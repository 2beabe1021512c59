// The same with the wasm as a file that the bundler puts beside.
import { init, flush } from "upriver/slim";

window.flush = flush;
init({ endpoint: location.origin, key: "test-key" });
