// countly, set up to capture as much as it does by itself.
import module from "countly-sdk-web";
const Countly = module.default ?? module;
Countly.init({ app_key: "bench", url: SINK });
Countly.track_sessions();
Countly.track_pageview();
Countly.track_clicks();
Countly.track_scrolls();
Countly.track_forms();
Countly.track_errors();
