"use client";
// Imported on the server too, where it does nothing.
import { useEffect } from "react";
import { flush, init } from "upriver";

export function Recorder() {
  useEffect(() => {
    window.flush = flush;
    init({ endpoint: location.origin, key: "test-key" });
  }, []);
  return null;
}
