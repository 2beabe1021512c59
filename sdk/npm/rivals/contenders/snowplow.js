// snowplow, set up to capture as much as it does by itself.
import { enableActivityTracking, newTracker, trackPageView } from "@snowplow/browser-tracker";
import { ButtonClickTrackingPlugin, enableButtonClickTracking } from "@snowplow/browser-plugin-button-click-tracking";
import { FormTrackingPlugin, enableFormTracking } from "@snowplow/browser-plugin-form-tracking";
import { LinkClickTrackingPlugin, enableLinkClickTracking } from "@snowplow/browser-plugin-link-click-tracking";
newTracker("sp", SINK, {
  appId: "bench", plugins: [ButtonClickTrackingPlugin(), LinkClickTrackingPlugin(), FormTrackingPlugin()], bufferSize: 5,
});
enableActivityTracking({ minimumVisitLength: 5, heartbeatDelay: 5 });
enableButtonClickTracking();
enableLinkClickTracking({ pseudoClicks: true });
enableFormTracking();
trackPageView();
