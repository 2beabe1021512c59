// Where errors hit: the script, and the steps of funnels, in words.

import type { ErrorRow } from "../api";

/** File and line of an error: `cart.js:42`; empty where nothing is known of it. */
export function place(row: Pick<ErrorRow, "source" | "line">): string {
  const path = row.source.split(/[?#]/)[0] ?? "";
  const file = path.slice(path.lastIndexOf("/", path.length - 2) + 1);
  return file && row.line > 0 ? `${file}:${row.line}` : file;
}

/** The funnels somebody was in when it happened, each with the steps it hit and how many visitors there. */
export function hits(row: Pick<ErrorRow, "funnels">): { name: string; steps: { name: string; visitors: number }[] }[] {
  return row.funnels
    .filter((funnel) => funnel.steps.some((step) => step.step > 0 && step.visitors > 0))
    .map((funnel) => ({
      name: funnel.name,
      steps: funnel.steps
        .filter((step) => step.visitors > 0)
        .map((step) => ({ name: stepName(step, funnel.steps.length - 1), visitors: step.visitors })),
    }));
}

function stepName(step: { step: number; name: string }, last: number): string {
  if (step.step === 0) return "before the first step";
  return step.step === last ? `after the last: ${step.name}` : `${step.step} ${step.name}`;
}
