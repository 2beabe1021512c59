//! The live resources and their parameters, described for people and programs. Knows nothing of what
//! they mean: `parameters` reads them.

use super::filter;
use crate::config::Scope;

/// A live resource, described for people and programs.
pub(super) struct ResourceHelp {
    pub(super) name: &'static str,
    pub(super) holds: &'static str,
    /// The scope that reads it.
    pub(super) scope: &'static [Scope],
    pub(super) parameters: &'static [ParameterHelp],
}

/// A parameter of a resource.
#[derive(Clone, Copy)]
pub(super) struct ParameterHelp {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) value: &'static str,
}

const READING: &[Scope] = &[Scope::LiveRead];
/// It is a list of visitors' ids.
const NAMING: &[Scope] = &[Scope::VisitorsRead];

/// Every resource.
pub(super) const RESOURCES: &[ResourceHelp] = &[
    ResourceHelp {
        name: "overview",
        holds: "the whole site in a few numbers",
        scope: READING,
        parameters: &[],
    },
    ResourceHelp {
        name: "heatmap",
        holds: "where on a page people did what",
        scope: READING,
        parameters: &HEAT_PARAMETERS,
    },
    ResourceHelp {
        name: "elements",
        holds: "how often each element was seen, hesitated over and pressed, and by how many",
        scope: READING,
        parameters: &BOARD_PARAMETERS,
    },
    ResourceHelp {
        name: "funnel",
        holds: "how many visitors got how far",
        scope: READING,
        parameters: &FUNNEL_PARAMETERS,
    },
    ResourceHelp {
        name: "funnel/visitors",
        holds: "which visitors stopped at a step of a funnel, or converted",
        scope: NAMING,
        parameters: &STAYED_PARAMETERS,
    },
    ResourceHelp {
        name: "campaigns",
        holds: "what each campaign brings",
        scope: READING,
        parameters: &[],
    },
    ResourceHelp {
        name: "experiments",
        holds: "which variant does better, and what of that is proven",
        scope: READING,
        parameters: &[],
    },
    ResourceHelp {
        name: "errors",
        holds: "what went wrong in the page's scripts, and how far in which funnel visitors were",
        scope: READING,
        parameters: &[],
    },
    ResourceHelp {
        name: "sources",
        holds: "where visits come from, and what they bring",
        scope: READING,
        parameters: &[],
    },
    ResourceHelp {
        name: "releases",
        holds: "what visitors did before and after each version of the site went out",
        scope: READING,
        parameters: &RELEASE_PARAMETERS,
    },
    ResourceHelp {
        name: "alerts",
        holds: "what is wrong: campaigns that do not convert, steps that broke, odd traffic",
        scope: READING,
        parameters: &[],
    },
    ResourceHelp {
        name: "presence",
        holds: "who is here now",
        scope: READING,
        parameters: &[],
    },
    ResourceHelp {
        name: "presence/visitors",
        holds: "each visitor who is here now, on which page and doing what",
        scope: NAMING,
        parameters: &[],
    },
    ResourceHelp {
        name: "pages",
        holds: "what is looked at",
        scope: READING,
        parameters: &[],
    },
    ResourceHelp {
        name: "activity",
        holds: "what is happening right now",
        scope: READING,
        parameters: &ACTIVITY_PARAMETERS,
    },
];

/// Which events the feed tells.
const ACTIVITY_PARAMETERS: [ParameterHelp; 8] = [
    ParameterHelp {
        name: "kind",
        required: false,
        value: "page_view, press, conversion, … or several with commas between; all when left out",
    },
    ParameterHelp {
        name: "page",
        required: false,
        value: "path of the page; * stands for any characters",
    },
    ParameterHelp {
        name: "element",
        required: false,
        value: "id of an element, 16 hexadecimal digits",
    },
    ParameterHelp {
        name: "event",
        required: false,
        value: "name of a custom event or conversion",
    },
    filter::CAMPAIGN,
    ParameterHelp {
        name: "source",
        required: false,
        value: "utm_source; (none) for visits without",
    },
    filter::DEVICE,
    filter::TRAFFIC,
];

/// How long before and after a release, and which.
const RELEASE_PARAMETERS: [ParameterHelp; 3] = [
    ParameterHelp {
        name: "window",
        required: false,
        value: "15m, 1h, 3h or 6h, before and after each; 1h when left out",
    },
    ParameterHelp {
        name: "from",
        required: false,
        value: "Unix milliseconds: releases that went out from then on, however long ago; those whose \
            windows lie in the live range when left out",
    },
    ParameterHelp {
        name: "to",
        required: false,
        value: "Unix milliseconds, with from: releases that went out before it",
    },
];

/// A filter's, and which kind.
pub(super) const HEAT_PARAMETERS: [ParameterHelp; filter::PARAMETERS.len() + 1] =
    and(ParameterHelp {
        name: "kind",
        required: false,
        value: "press, long_press, rage, dead, error_press, hesitation, swipe, swipe_path, \
            swipe_direction, move, attention, scroll_depth, scroll_direction or impression; \
            press when left out",
    });

/// A filter's, and by what visitors are compared.
pub(super) const BOARD_PARAMETERS: [ParameterHelp; filter::PARAMETERS.len() + 1] =
    and(ParameterHelp {
        name: "by",
        required: false,
        value: "nothing, variant, colour, shape, size or position; nothing when left out",
    });

/// Which funnel, and whose first step counts.
const FUNNEL_PARAMETERS: [ParameterHelp; 5] = [
    ParameterHelp {
        name: "id",
        required: true,
        value: "id of the funnel",
    },
    filter::DEVICE,
    filter::CAMPAIGN,
    filter::VARIANT,
    filter::TRAFFIC,
];

/// The same, and where they stopped.
const STAYED_PARAMETERS: [ParameterHelp; 7] = [
    FUNNEL_PARAMETERS[0],
    FUNNEL_PARAMETERS[1],
    FUNNEL_PARAMETERS[2],
    FUNNEL_PARAMETERS[3],
    FUNNEL_PARAMETERS[4],
    ParameterHelp {
        name: "step",
        required: false,
        value: "the step they reached and no further, counted from 1; the last when converted",
    },
    ParameterHelp {
        name: "state",
        required: false,
        value: "lost, open or converted; lost when left out",
    },
];

/// A filter's parameters and one more.
const fn and(more: ParameterHelp) -> [ParameterHelp; filter::PARAMETERS.len() + 1] {
    let mut all = [more; filter::PARAMETERS.len() + 1];
    let mut at = 0;
    while at < filter::PARAMETERS.len() {
        all[at] = filter::PARAMETERS[at];
        at += 1;
    }
    all
}
