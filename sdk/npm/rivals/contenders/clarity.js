// clarity, set up to capture as much as it does by itself.
import { clarity } from "clarity-js";
clarity.start({ projectId: "bench", upload: `${SINK}/collect`, track: true, content: true });
