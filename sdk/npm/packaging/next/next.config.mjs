// This folder is the whole project, whatever lock files lie above it.
import { fileURLToPath } from "node:url";

export default { turbopack: { root: fileURLToPath(new URL(".", import.meta.url)) } };
