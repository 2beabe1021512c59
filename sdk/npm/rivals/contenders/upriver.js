import { init } from "../../dist/index.js";
init({ endpoint: SINK, key: "bench-key" });
