import { clarity } from "clarity-js";
clarity.start({ projectId: "bench", upload: `${SINK}/collect`, track: true, content: true });
