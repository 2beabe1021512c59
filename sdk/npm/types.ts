// What a site says to Upriver and hears from it, as types. No code.
//
// Owns the options, the shapes of arguments and answers, and how a site's own names are typed. The
// functions are in `index.ts`.

/** Properties of an event: at most 32, names up to 128 bytes, texts up to 1 KiB. */
export type Props = { [name: string]: string | number | boolean | undefined };

/** How Upriver is set up. */
export interface Options {
  /** Address of your collector, `https://upriver.example`. */
  endpoint: string;
  /** The site's write key. It is public: it can only write, and only from your origins. */
  key: string;
  /** Version of your site, `2026.11.2`: every event carries it. */
  release?: string;
  /** What may happen before the visitor is asked. Default: `granted`.
   * - `granted`: recording starts, and two names are kept in the browser.
   * - `cookieless`: recording starts, nothing is kept: a visitor is new with every page load.
   * - `required`: nothing is loaded, stored or sent until {@link Upriver.optIn}. */
  consent?: "granted" | "cookieless" | "required";
  /** Whether the answer (`optIn`, `optOut`) is kept in the browser, as one letter, for the pages
   * to come. Default: false, your own consent tool keeps it. */
  rememberConsent?: boolean;
  /** Query parameters that may be recorded. Default: none; `utm_*` become the campaign. */
  queryParams?: string[];
  /** Whether Global Privacy Control and Do Not Track stop everything. Default: true. */
  respectSignals?: boolean;
  /** Draws on the page what is captured. `?upriver-debug` in the address does the same. */
  debug?: boolean;
  /** Where the recorder's wasm is, or the compiled module. Only `upriver/slim` reads it. Default:
   * `upriver.wasm` beside the module. */
  wasm?: string | URL | WebAssembly.Module;
  /** From how many presses a burst is rage, and how far apart two of them may be: ms, CSS pixels.
   * Default: 3, 1,000 and 30. */
  rage?: [presses?: number, ms?: number, px?: number];
  /** How long after a click nothing must have happened for it to be dead, ms. Default: 2,500. */
  dead?: number;
  /** From how many strokes in a row a mouse thrashes, how long each is at least (CSS pixels) and
   * takes at most (ms). Default: 5, 50 and 300. */
  thrash?: [strokes?: number, px?: number, ms?: number];
  /** CSS selector of what is never rage or dead, and what is inside: your steppers, your games. */
  sparePresses?: string;
}

/** What a conversion is worth. */
export interface Worth<P = Props> {
  /** In units of the currency, `19.9`. */
  value?: number;
  /** ISO 4217 code, `EUR`. */
  currency?: string;
  /** Your own number for it. */
  order?: string;
  props?: P;
}

/** How events travel. */
export type State =
  | "starting"
  | "stream"
  | "http"
  | "offline"
  | "stopped"
  | "forbidden"
  /** The visitor has yet to be asked: nothing is stored or sent, and what happens waits in memory. */
  | "pending"
  /** Nothing is recorded here: a server, a privacy signal, a refusal, the overlay, or an old browser. */
  | "off";

/** Numbers of events, and how they travel. */
export interface Stats {
  /** Seen. */
  recorded: number;
  /** On the collector's disk. */
  acked: number;
  /** Given up here, because too many were waiting or recording was stopped. */
  dropped: number;
  /** Refused by the collector. */
  refused: number;
  transport: State;
}

/** Something sent to this visitor's page. Each is told once a page. */
export interface Signal<N extends string = string, P = unknown> {
  id: number;
  name: N;
  /** What came with it, JSON already parsed. It is from your own collector, and still to be put
   * into the page as text, never as HTML. */
  payload: P;
  /** Unix ms by the collector's clock from which on it should not be shown. */
  expires: number;
}

/** The names a site uses, to be checked when it is compiled; each part may be left out.
 * `init<{ track: { search: { hits: number } } }>({ … })` */
export interface Events {
  /** Own events and their properties. */
  track?: object;
  /** Conversions and their properties. */
  convert?: object;
  /** Experiments and their variants. */
  expose?: object;
  /** Signals and their payloads. */
  signal?: object;
}

type Part<E extends Events, K extends keyof Events, Any> = E[K] extends object ? E[K] : Any;
type Name<T> = keyof T & string;
// Properties may be left out when none of them is needed.
type Optional<P, A> = {} extends P ? [it?: A] : [it: A];
/** Any of the signals `S` names, told apart by their `name`. */
export type SignalOf<S> = { [N in Name<S>]: Signal<N, S[N]> }[Name<S>];

/** The functions of this module, which {@link init} returns too. */
export interface Upriver<E extends Events = Events> {
  /** Records an event of your own. */
  track<N extends Name<Part<E, "track", Record<string, Props>>>>(
    name: N,
    ...props: Optional<Part<E, "track", Record<string, Props>>[N], Part<E, "track", Record<string, Props>>[N]>
  ): void;
  /** Records a conversion: an order, a sign-up. */
  convert<N extends Name<Part<E, "convert", Record<string, Props>>>>(
    name: N,
    ...worth: Optional<Part<E, "convert", Record<string, Props>>[N], Worth<Part<E, "convert", Record<string, Props>>[N]>>
  ): void;
  /** Records that this visitor is shown a variant of an experiment. */
  expose<N extends Name<Part<E, "expose", Record<string, string>>>>(
    experiment: N,
    variant: Part<E, "expose", Record<string, string>>[N],
  ): void;
  /** Says who the visitor is. What travels is the SHA-256 of it, unless `hash` is false. */
  identify(user: string, how?: { hash?: boolean }): void;
  /** Records a page view, where the address does not tell. */
  page(): void;
  /** Sends what is waiting; done when all recorded so far is on the collector's disk or given up. */
  flush(): Promise<void>;
  /** Records nothing more; what there is is sent. Until the next load of the page. */
  stop(): void;
  /** The visitor agrees: what waited goes out. `cookieless`: but nothing may be kept. */
  optIn(how?: { cookieless?: boolean }): void;
  /** The visitor does not agree: what waits is dropped, what was stored is removed, and nothing more
   * is sent. `optIn` may follow. */
  optOut(): void;
  /** Calls back with the state now, and whenever it changes; or with each signal that is sent to
   * this visitor. Returns how to end that. */
  on(event: "state", listener: (state: State) => void): () => void;
  on(event: "signal", listener: (signal: SignalOf<Part<E, "signal", Record<string, any>>>) => void): () => void;
  /** The numbers so far. */
  stats(): Stats;
}

/** What is true of an event only while it is told: kept for those the core hears of later. */
export interface Facts {
  /** From the innermost target to the window. */
  targets: EventTarget[];
  /** Boxes of the targets, of presses only. */
  boxes: (DOMRect | undefined)[];
  /** Where the page stands, of presses only. */
  scrolls: number[];
  /** The page is hidden. */
  asleep: boolean;
}

/** A document that may record itself. */
export type Framed = Document & { upriver?: boolean };

/** What the core is handed of the page's own part. */
export interface Entry {
  /** Whether the page was hidden when recording began. */
  asleep: boolean;
  /** What is true of an event now; none of one that is not kept. */
  facts(event: Event): Facts | undefined;
  /** What is listened to. */
  kinds: string[];
  /** Begins or ends listening, on the page or on the document of a frame. */
  listen(what: "add" | "remove", on?: Document): void;
  /** The numbers where nothing is recorded. */
  none(transport: State): Stats;
  /** Tells all who asked to hear of it. */
  tell(event: "state" | "signal", it: unknown): void;
}
