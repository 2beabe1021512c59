// amplitude, set up to capture as much as it does by itself.
import * as amplitude from "@amplitude/analytics-browser";
amplitude.init("bench", {
  serverUrl: `${SINK}/2/httpapi`, fetchRemoteConfig: false, remoteConfig: { fetchRemoteConfig: false },
  autocapture: { elementInteractions: true, frustrationInteractions: true, formInteractions: true, pageViews: true, sessions: true },
});
