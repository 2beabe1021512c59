// What the tests use of a real collector.

import type { ResourceName, Resources } from "../src/api";

export interface Collector {
  /** Logs in once, through the relay. */
  login: string;
  relay: { origin: string; cut(): void; mend(): void; age(): void };
  get<N extends ResourceName>(name: N): Promise<Resources[N]>;
  tell(name: string): Promise<void>;
  press(selector: string): Promise<void>;
  ticket(): Promise<string>;
  define(place: string, body: unknown): Promise<unknown>;
  definition(place: string): Promise<{ version: number; body: unknown }>;
  crash(): Promise<void>;
  stop(): Promise<void>;
}

/** May read live numbers, and not who the visitors are. */
export const WALL_TOKEN: string;

export function startCollector(options?: { websocket?: boolean; site?: string }): Promise<Collector>;
