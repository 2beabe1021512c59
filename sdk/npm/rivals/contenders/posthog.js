// posthog, set up to capture as much as it does by itself.
import posthog from "posthog-js";
posthog.init("phc_bench", {
  api_host: SINK, autocapture: true, capture_pageview: true, capture_pageleave: true, capture_heatmaps: true,
  capture_dead_clicks: true, rageclick: true, disable_compression: true,
  // What would be fetched from its cloud, and cannot be had from a sink.
  advanced_disable_flags: true, disable_session_recording: true, disable_surveys: true, disable_external_dependency_loading: true,
});
