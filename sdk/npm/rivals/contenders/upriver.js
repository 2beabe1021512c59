// Upriver, as a site would set it up.
import { init } from "../../dist/index.js";
init({ endpoint: SINK, key: "bench-key" });
