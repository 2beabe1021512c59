//! The parameters that say which events count, for every resource that takes them, or errors that
//! say what is allowed.

use super::help::ParameterHelp;
use super::parameters::checked;
use crate::api::error::ApiError;
use crate::config::STEPS_MAX;
use crate::live::{
    ActivityFilter, By, Filter, HeatKind, RECENT_MINUTES, Seen, Stayed, Window, kinds_told,
};
use crate::row::{Device, Kind};
use std::collections::HashMap;
use upriver_wire::limits::{NAME_BYTES_MAX, STRING_BYTES_MAX};

/// The largest width bucket, CSS pixels, and the step between them.
const WIDTH_MAX: u16 = 2_560;
const WIDTH_STEP: u16 = 160;
/// Bytes of a number.
const NUMBER_BYTES_MAX: usize = 20;

macro_rules! help {
    ($($name:literal $required:literal $value:literal),* $(,)?) => {
        [$(ParameterHelp { name: $name, required: $required, value: $value }),*]
    };
}

/// The part of a filter that a funnel takes.
pub(super) const DEVICE: ParameterHelp = PARAMETERS[1];
pub(super) const CAMPAIGN: ParameterHelp = PARAMETERS[3];
pub(super) const VARIANT: ParameterHelp = PARAMETERS[4];
pub(super) const TRAFFIC: ParameterHelp = PARAMETERS[6];

/// What every filter takes.
pub(super) const PARAMETERS: [ParameterHelp; 10] = help![
    "page" true "path of the page; * stands for any characters",
    "device" false "other, desktop, tablet or phone",
    "width" false "width bucket of the window: 0, 160, 320, … 2560",
    "campaign" false "utm_campaign; (none) for visits without",
    "variant" false "experiment=variant",
    "visitors" false "new (first visits ever) or returning (later ones)",
    "traffic" false "all or human (bot_score below 50); all when left out",
    "window" false "5m, 30m, today (since midnight UTC) or day (23 whole hours and the begun one); day when left out",
    "from" false "Unix milliseconds, instead of window",
    "to" false "Unix milliseconds, with from: events before it",
];

/// The filter that parameters say.
///
/// # Errors
/// 400 for an impossible value.
pub(super) fn filter(given: &mut HashMap<String, String>) -> Result<Filter, ApiError> {
    let mut take = |name: &str, bytes_max| checked(name, given.remove(name), bytes_max);
    let (from, to) = (
        take("from", NUMBER_BYTES_MAX)?,
        take("to", NUMBER_BYTES_MAX)?,
    );
    let window = take("window", NAME_BYTES_MAX)?;
    Ok(Filter {
        page: take("page", STRING_BYTES_MAX)?.unwrap_or_default(),
        device: take("device", NAME_BYTES_MAX)?
            .map(|name| device(&name))
            .transpose()?,
        width: take("width", NUMBER_BYTES_MAX)?
            .map(|text| width(&text))
            .transpose()?,
        campaign: take("campaign", NAME_BYTES_MAX)?,
        variant: take("variant", 2 * NAME_BYTES_MAX + 1)?
            .map(variant)
            .transpose()?,
        seen: match take("visitors", NAME_BYTES_MAX)?.as_deref() {
            None | Some("all") => None,
            Some("new") => Some(Seen::New),
            Some("returning") => Some(Seen::Returning),
            Some(other) => {
                return Err(unknown(
                    "unknown_visitors",
                    "visitors",
                    other,
                    "all, new, returning",
                ));
            }
        },
        human: human(take("traffic", NAME_BYTES_MAX)?.as_deref())?,
        window: span(window.as_deref(), from.as_deref(), to.as_deref())?,
    })
}

/// Which events of the feed somebody wants.
///
/// # Errors
/// 400 for an impossible value.
pub(super) fn wanted(given: &mut HashMap<String, String>) -> Result<ActivityFilter, ApiError> {
    let mut take = |name: &str, bytes_max| checked(name, given.remove(name), bytes_max);
    let kinds = take("kind", STRING_BYTES_MAX)?;
    Ok(ActivityFilter {
        kinds: kinds_wanted(kinds.as_deref())?,
        page: take("page", STRING_BYTES_MAX)?,
        element: take("element", NAME_BYTES_MAX)?
            .map(|id| element(&id))
            .transpose()?,
        event: take("event", NAME_BYTES_MAX)?,
        campaign: take("campaign", NAME_BYTES_MAX)?,
        source: take("source", NAME_BYTES_MAX)?,
        device: take("device", NAME_BYTES_MAX)?
            .map(|name| device(&name))
            .transpose()?,
        human: human(take("traffic", NAME_BYTES_MAX)?.as_deref())?,
    })
}

/// Kinds of events, with commas between; each once, always in the same order, so that who asks the
/// same is told by the same.
fn kinds_wanted(names: Option<&str>) -> Result<Vec<Kind>, ApiError> {
    let mut kinds = Vec::new();
    for name in names.into_iter().flat_map(|names| names.split(',')) {
        let found = kinds_told().find(|kind| kind.name() == name);
        kinds.push(found.ok_or_else(|| {
            let names: Vec<_> = kinds_told().map(|kind| kind.name()).collect();
            unknown("unknown_kind", "kind", name, &names.join(", "))
        })?);
    }
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

fn element(id: &str) -> Result<u64, ApiError> {
    let found = u64::from_str_radix(id, 16).ok().filter(|_| id.len() == 16);
    found.ok_or_else(|| {
        ApiError::BadRequest(
            "malformed_element",
            format!("an element is 16 hexadecimal digits, such as 00000000000000a1, not {id:?}"),
        )
    })
}

fn human(traffic: Option<&str>) -> Result<bool, ApiError> {
    match traffic {
        None | Some("all") => Ok(false),
        Some("human") => Ok(true),
        Some(other) => Err(unknown("unknown_traffic", "traffic", other, "all, human")),
    }
}

/// The kind of a heat map; presses when nothing is said.
///
/// # Errors
/// 400 for one that is not.
pub(super) fn kind(name: Option<&str>) -> Result<HeatKind, ApiError> {
    let Some(name) = name else {
        return Ok(HeatKind::default());
    };
    let found = HeatKind::ALL.into_iter().find(|kind| kind.name() == name);
    let names = HeatKind::ALL.map(HeatKind::name).join(", ");
    found.ok_or_else(|| unknown("unknown_kind", "kind", name, &names))
}

/// By what visitors are compared; by nothing when nothing is said.
///
/// # Errors
/// 400 for something else.
pub(super) fn by(name: Option<&str>) -> Result<By, ApiError> {
    let Some(name) = name else {
        return Ok(By::default());
    };
    let found = By::ALL.into_iter().find(|by| by.name() == name);
    let names = By::ALL.map(By::name).join(", ");
    found.ok_or_else(|| unknown("unknown_by", "by", name, &names))
}

/// Minutes before and after a release; an hour when nothing is said.
///
/// # Errors
/// 400 for another window.
pub(super) fn minutes(window: Option<&str>) -> Result<u16, ApiError> {
    match window {
        Some("15m") => Ok(15),
        None | Some("1h") => Ok(60),
        Some("3h") => Ok(180),
        Some("6h") => Ok(360),
        Some(other) => Err(unknown(
            "unknown_window",
            "window",
            other,
            "15m, 1h, 3h, 6h",
        )),
    }
}

/// When the releases went out that somebody wants; none when nothing is said: those of the live range.
///
/// # Errors
/// 400 for an impossible stretch of time.
pub(super) fn went_out(from: Option<&str>, to: Option<&str>) -> Result<Option<Window>, ApiError> {
    match (from, to) {
        (None, None) => Ok(None),
        (from, to) => span(None, from, to).map(Some),
    }
}

/// Where visitors of a funnel stopped: step and state. Those who converted are at the last step,
/// which is 0 here.
///
/// # Errors
/// 400 for an unknown state, or a step that no funnel has.
pub(super) fn stayed(step: Option<&str>, state: Option<&str>) -> Result<(usize, Stayed), ApiError> {
    let name = state.unwrap_or(Stayed::default().name());
    let found = Stayed::ALL.into_iter().find(|state| state.name() == name);
    let names = Stayed::ALL.map(Stayed::name).join(", ");
    let state = found.ok_or_else(|| unknown("unknown_state", "state", name, &names))?;
    match (step, state) {
        (_, Stayed::Converted) => Ok((0, state)),
        (None, _) => Err(ApiError::BadRequest(
            "missing_parameter",
            "funnel/visitors needs step: the step they reached and no further, counted from 1"
                .into(),
        )),
        (Some(text), _) => {
            let step = text
                .parse()
                .ok()
                .filter(|step| (1..=STEPS_MAX).contains(step));
            let step = step.ok_or_else(|| {
                ApiError::BadRequest(
                    "impossible_step",
                    format!("a step is a number, 1 to {STEPS_MAX}, not {text:?}"),
                )
            })?;
            Ok((step, state))
        }
    }
}

fn unknown(code: &'static str, parameter: &str, value: &str, allowed: &str) -> ApiError {
    ApiError::BadRequest(
        code,
        format!("there is no {parameter} {value:?}; allowed: {allowed}"),
    )
}

fn span(window: Option<&str>, from: Option<&str>, to: Option<&str>) -> Result<Window, ApiError> {
    let refuse = |why: &str| Err(ApiError::BadRequest("impossible_window", why.to_owned()));
    let moment = |name: &str, text: &str| {
        // What ClickHouse can tell as a moment ends in 2299.
        let ms = text.parse().ok().filter(|ms| *ms < 10_000_000_000_000_u64);
        ms.ok_or_else(|| {
            ApiError::BadRequest(
                "malformed_moment",
                format!("{name} must be Unix milliseconds, such as 1767225600000, not {text:?}"),
            )
        })
    };
    match (window, from, to) {
        (None, None, None) | (Some("day"), None, None) => Ok(Window::Day),
        (Some("today"), None, None) => Ok(Window::Today),
        (Some("5m"), None, None) => Ok(Window::Minutes(5)),
        (Some("30m"), None, None) => Ok(Window::Minutes(RECENT_MINUTES)),
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
            refuse("say either window, or from with or without to")
        }
        (Some(other), None, None) => Err(unknown(
            "unknown_window",
            "window",
            other,
            "5m, 30m, today, day",
        )),
        (None, None, Some(_)) => refuse("to needs from"),
        (None, Some(from), None) => Ok(Window::Since(moment("from", from)?)),
        (None, Some(from), Some(to)) => {
            let (from, to) = (moment("from", from)?, moment("to", to)?);
            if from >= to {
                return refuse("from must be before to");
            }
            Ok(Window::Between(from, to))
        }
    }
}

fn width(text: &str) -> Result<u16, ApiError> {
    let width = text.parse().ok();
    let width = width.filter(|width| *width <= WIDTH_MAX && width % WIDTH_STEP == 0);
    width.ok_or_else(|| unknown("unknown_width", "width", text, "0, 160, 320, … 2560"))
}

fn device(name: &str) -> Result<Device, ApiError> {
    let found = Device::ALL.iter().find(|device| device.name() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = Device::ALL.iter().map(|device| device.name()).collect();
        unknown("unknown_device", "device", name, &names.join(", "))
    })
}

fn variant(text: String) -> Result<String, ApiError> {
    if text.contains('=') {
        return Ok(text);
    }
    Err(ApiError::BadRequest(
        "malformed_variant",
        format!("the variant {text:?} must look like experiment=variant"),
    ))
}
