// What a customer's page has: the package by its name, and one call.
import { init, flush } from "upriver";

window.flush = flush;
init({ endpoint: location.origin, key: "test-key" });
