// The table at the end, and the verdict: a number is right when all four columns agree.

/** Lines up what was made with what was counted. A number only one side knows counts as 0 on the others. */
export function compare([made, live, pushed, sql]) {
  const names = new Set([made, live, pushed, sql].flatMap((column) => [...column.keys()]));
  return [...names].map((name) => ({ name, values: [made, live, pushed, sql].map((column) => column.get(name) ?? 0) }));
}

const isRight = ({ values }) => values.every((value) => value === values[0]);

function percentile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)];
}

/** Prints everything; returns the figures as data and how many checks failed. */
export function print({ visitors, acts, checks, problems, latencies, storedMs }) {
  const wrong = checks.filter((check) => !isRight(check));
  // Cells of heat maps are many: they are checked like the rest, and shown only when wrong.
  const shown = checks.filter((check) => !isRight(check) || !/ cell \d+$/.test(check.name));
  const cells = checks.length - checks.filter(({ name }) => !/ cell \d+$/.test(name)).length;
  const width = Math.max(...shown.map(({ name }) => name.length));
  console.log(`  ${visitors.length} visitors, ${acts} gestures and events\n`);
  console.log(`  ${'number'.padEnd(width)}  ${['made', 'live', 'pushed', 'sql'].map((head) => head.padStart(10)).join('')}`);
  console.log(`  ${'─'.repeat(width + 42)}`);
  for (const check of shown) {
    const values = check.values.map((value) => String(value).padStart(10)).join('');
    console.log(`  ${check.name.padEnd(width)}  ${values}${isRight(check) ? '' : '   ← differs'}`);
  }
  console.log(`\n  and ${cells} cells of heat maps, each compared in the same way`);

  const sorted = [...latencies].sort((a, b) => a - b);
  const [p50, p95, max] = [percentile(sorted, 0.5), percentile(sorted, 0.95), sorted.at(-1)].map(Math.round);
  console.log(`  press to dashboard: p50 ${p50} ms, p95 ${p95} ms, max ${max} ms over ${sorted.length} presses`);
  console.log(`  in ClickHouse at most ${storedMs} ms after it was live`);
  for (const problem of problems) console.log(`  error in a page: ${problem}`);
  const failed = wrong.length + problems.length;
  console.log(`\nchecks: ${checks.length - wrong.length} passed, ${failed} failed`);
  const figures = { visitors: visitors.length, acts, checks: checks.length, failed, press_to_dashboard_ms: { p50, p95, max, presses: sorted.length }, stored_after_ms: storedMs };
  return { figures, failed };
}
