// The overlay's own look. A constructed style sheet, so that the shop's policy on inline styles does
// not stand in the way; inside a closed shadow root, so that neither page nor overlay restyles the other.

const TEXT = `
:host { all: initial !important; position: fixed !important; inset: 0 !important; z-index: 2147483647 !important;
  pointer-events: none !important; margin: 0 !important; padding: 0 !important; border: 0 !important;
  width: auto !important; height: auto !important; max-width: none !important; max-height: none !important;
  background: none !important; overflow: hidden !important; display: block !important; }
* { box-sizing: border-box; }
.heat { position: absolute; pointer-events: none; }
.outline { position: absolute; left: 0; top: 0; border: 2px solid #0c6f83; border-radius: 3px;
  box-shadow: 0 0 0 1px #fff; pointer-events: none; }
[hidden] { display: none !important; }
.panel { position: absolute; right: 12px; bottom: 12px; width: 264px; max-width: calc(100% - 24px);
  font: 13px/1.4 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; color: #e8eef1;
  background: #12191e; border: 1px solid #34444e; border-radius: 10px; box-shadow: 0 8px 28px #0006;
  pointer-events: auto; font-variant-numeric: tabular-nums; overflow: hidden; color-scheme: dark; }
.panel.folded { width: auto; }
.panel.folded .body { display: none; }
p { margin: 0; }
.head { display: flex; align-items: center; gap: 8px; padding: 6px 6px 6px 12px; cursor: move; touch-action: none; user-select: none; }
.status { flex: 1; display: flex; align-items: center; gap: 6px; color: #a9bac4; }
.status::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: #8798a3; }
[data-status="live"] .status::before { background: #4cc38a; }
:is([data-status="lost"], [data-status="refused"]) .status::before { background: #f0a832; }
.body { display: grid; grid-template-columns: minmax(0, 1fr); gap: 8px; padding: 2px 12px 12px; }
.total { font-size: 20px; line-height: 1.2; font-weight: 600; }
.detail, .hover { color: #a9bac4; overflow-wrap: anywhere; }
.hover { min-height: 2.8em; border-top: 1px solid #2a3840; padding-top: 8px; color: #e8eef1; }
.notice { margin: 0 12px 10px; padding: 6px 8px; border-radius: 6px; background: #4a3510; color: #ffdf9e; }
.legend { display: block; width: 100%; height: 10px; border-radius: 5px; background: #fff; }
.ticks { display: flex; justify-content: space-between; margin-top: -4px; font-size: 12px; color: #a9bac4; }
.unit { margin-top: -6px; font-size: 12px; color: #a9bac4; text-align: right; }
.row { display: flex; gap: 8px; align-items: center; }
.row > * { min-width: 0; flex: 1; }
label { display: flex; align-items: center; gap: 6px; flex: 0 0 auto; }
label.grow { flex: 1; }
label input[type="range"] { min-width: 0; flex: 1; }
select, input:not([type]) { font: inherit; color: inherit; height: 30px; padding: 0 6px; background: #1b252b;
  border: 1px solid #43555f; border-radius: 6px; width: 100%; }
input { accent-color: #43b3c8; }
button { font: 16px/1 system-ui, sans-serif; width: 28px; height: 28px; color: #e8eef1; background: none; border: 0; border-radius: 6px; cursor: pointer; }
button:hover { background: #26333b; }
:focus-visible { outline: 2px solid #6fd0e2; outline-offset: 1px; }
`;

/** The sheet to adopt. */
export function sheet(): CSSStyleSheet {
  const made = new CSSStyleSheet();
  made.replaceSync(TEXT);
  return made;
}
