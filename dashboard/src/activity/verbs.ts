// What visitors do, as people say it.

/** By the column `kind`. */
export const VERBS: Record<string, string> = {
  page_view: "opened", press: "pressed", scroll: "scrolled", swipe: "swiped",
  custom: "event", conversion: "converted", exposure: "was shown",
  long_press: "held", pinch: "pinched", hesitation: "hesitated on", form: "form:",
  rage: "pressed again and again", dead: "pressed in vain", error_press: "got an error from",
  thrash: "moved to and fro", fault: "met an error:",
};
