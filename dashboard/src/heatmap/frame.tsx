// The real page in a frame, at the width of a phone or a desktop, scaled to fit.
//
// Owns: the frame's address and size, and the talk with the overlay in it. A frame does not tell
// whether its page refused to be framed; that the overlay reports back is the proof that it works.

import { createEffect, createSignal, on, onCleanup, onMount, Show, untrack, type Accessor, type JSX } from "solid-js";
import { buyTicket, type HeatChoice } from "../api";
import { Icon } from "../draw/icons";
import { count } from "../format";
import { readState, type OverlaySet, type OverlayShow, type OverlayState } from "../overlay/messages";
import { overlayAddress } from "./address";

export type FrameWidth = "phone" | "desktop";
const CSS_PX: Record<FrameWidth, { width: number; height: number }> = {
  phone: { width: 390, height: 844 },
  desktop: { width: 1280, height: 900 },
};

/** Time the overlay has to report after the frame was given its address. */
const REPORT_MS_MAX = 8_000;
const NOT_DRAWN = "The page has not drawn its heat map here. It may refuse to be framed, or have no SDK on it. "
  + "Open it in a tab, or read the table.";

interface FrameProps {
  site: string;
  baseUrl: string;
  page: string;
  width: FrameWidth;
  choice: HeatChoice;
  /** The element to bring into sight; a new object each time one is asked for. */
  show: { element: string } | undefined;
  /** Called with the path when someone goes to another page inside the frame. */
  moved: (page: string) => void;
}

/** The frame. */
export function PageFrame(props: FrameProps): JSX.Element {
  const [room, setRoom] = createSignal(0);
  let frame: HTMLIFrameElement | undefined;
  let box: HTMLDivElement | undefined;
  const talk = createTalk(props, () => frame?.contentWindow ?? undefined);
  createEffect(on(() => props.show, (show) => {
    if (!show) return;
    talk.show(show.element);
    box?.scrollIntoView({ block: "nearest" });
  }, { defer: true }));
  onMount(() => {
    const observer = new ResizeObserver(([entry]) => setRoom(entry?.contentRect.width ?? 0));
    if (box) observer.observe(box);
    onCleanup(() => observer.disconnect());
  });
  const size = () => CSS_PX[props.width];
  const scale = (): number => (room() > 0 ? Math.min(1, room() / size().width) : 1);
  return (
    <div class="heat-frame" ref={(element) => { box = element; }}>
      <div class="heat-frame-box" style={{ width: `${size().width * scale()}px`, height: `${size().height * scale()}px` }}>
        <Show when={talk.address()} keyed fallback={<div class="heat-frame-wait" aria-busy="true" />}>
          {(address) => (
            <iframe
              ref={(element) => { frame = element; }}
              title={`The page ${props.page} with its heat map`}
              sandbox="allow-scripts allow-same-origin allow-forms"
              referrerpolicy="no-referrer"
              src={address}
              style={{ width: `${size().width}px`, height: `${size().height}px`, transform: `scale(${scale()})` }}
            />
          )}
        </Show>
      </div>
      <p class="heat-frame-note" role="status">
        <Show when={!talk.problem()} fallback={<><Icon name="info" /> {talk.problem()}</>}>
          <Show when={talk.state()} fallback="Opening the page…">
            {(state) => (
              <>
                {state().live ? "Drawn live on the page" : "The page's heat map is not live"}
                {" "}at {size().width} px{missing(state().missing)}.
              </>
            )}
          </Show>
        </Show>
      </p>
    </div>
  );
}

function missing(elements: number): string {
  if (elements === 0) return "";
  return elements === 1 ? "; 1 element is not on it now" : `; ${count(elements)} elements are not on it now`;
}

interface Talk {
  /** What the frame is to load; undefined until there is a ticket. */
  address: Accessor<string | undefined>;
  /** What the overlay last reported about itself. */
  state: Accessor<OverlayState | undefined>;
  problem: Accessor<string | undefined>;
  show(element: string): void;
}

// Gives the overlay in the frame its tickets and filters, and hears what becomes of them. Only the
// frame's own window at the site's own origin is listened and spoken to.
function createTalk(props: FrameProps, target: () => Window | undefined): Talk {
  const [address, setAddress] = createSignal<string>();
  const [state, setState] = createSignal<OverlayState>();
  const [problem, setProblem] = createSignal<string>();
  const origin = new URL(props.baseUrl).origin;
  let shown: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const load = async (page: string): Promise<void> => {
    shown = page;
    setState(undefined);
    setProblem(undefined);
    clearTimeout(timer);
    try {
      const ticket = await buyTicket(props.site);
      if (shown !== page) return;
      setAddress(overlayAddress(props.baseUrl, page, ticket));
      timer = setTimeout(() => { if (!state()) setProblem(NOT_DRAWN); }, REPORT_MS_MAX);
    } catch (error) {
      setProblem(`No ticket for the page: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const tell = async (withTicket: boolean): Promise<void> => {
    const set: OverlaySet = { ...untrack(() => props.choice), upriver: "overlay.set" };
    // Without a ticket the overlay stays as it is and asks again.
    if (withTicket) set.ticket = await buyTicket(props.site).catch(() => "");
    if (set.ticket !== "") target()?.postMessage(set, origin);
  };
  const hear = (event: MessageEvent): void => {
    if (event.origin !== origin || event.source !== target()) return;
    const said = readState(event.data);
    if (!said) return;
    const first = !state();
    setState(said);
    setProblem(undefined);
    if (first || said.wantsTicket) void tell(said.wantsTicket);
    if (said.page !== shown) { shown = said.page; props.moved(said.page); }
  };
  createEffect(on(() => props.page, (page) => { if (page !== shown) void load(page); }));
  createEffect(on(() => props.choice, () => void tell(true), { defer: true }));
  window.addEventListener("message", hear);
  onCleanup(() => { window.removeEventListener("message", hear); clearTimeout(timer); });
  const show = (element: string): void => {
    const message: OverlayShow = { upriver: "overlay.show", element };
    target()?.postMessage(message, origin);
  };
  return { address, state, problem, show };
}
