//! Resource names and parameters of a URL to a query, or to an error that says what is allowed.

use super::filter;
use super::help::{RESOURCES, ResourceHelp};
use crate::api::error::ApiError;
use crate::live::{Naming, Query};
use actix_web::web;
use std::collections::HashMap;
use upriver_wire::limits::NAME_BYTES_MAX;

/// Parameters that say who is asking, and what they have already; others look at them.
const PARAMETERS_OF_READERS: [&str; 4] = ["site", "ticket", "after", "wait"];

/// The resource of this name.
///
/// # Errors
/// There is none: 404.
pub(super) fn resource(name: &str) -> Result<&'static ResourceHelp, ApiError> {
    let found = RESOURCES.iter().find(|help| help.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = RESOURCES.iter().map(|help| help.name).collect();
        ApiError::NotFound(format!(
            "there is no live resource {name:?}; there are: {}",
            names.join(", ")
        ))
    })
}

/// The query that the parameters of a resource ask. Who may not see visitors' names asks another.
///
/// # Errors
/// 400 for an unknown, missing, doubled or impossible parameter.
pub(super) fn query(
    help: &ResourceHelp,
    parameters: &str,
    naming: Naming,
) -> Result<Query, ApiError> {
    let mut given = given(help, parameters)?;
    Ok(match help.name {
        "overview" => Query::Overview,
        "heatmap" => {
            let kind = checked("kind", given.remove("kind"), NAME_BYTES_MAX)?;
            Query::HeatMap(filter::kind(kind.as_deref())?, filter::filter(&mut given)?)
        }
        "elements" => {
            let by = checked("by", given.remove("by"), NAME_BYTES_MAX)?;
            Query::Board(filter::filter(&mut given)?, filter::by(by.as_deref())?)
        }
        "funnel" => {
            let id = checked("id", given.remove("id"), NAME_BYTES_MAX)?;
            Query::Funnel(id.unwrap_or_default(), filter::filter(&mut given)?)
        }
        "funnel/visitors" => {
            let id = checked("id", given.remove("id"), NAME_BYTES_MAX)?;
            let state = checked("state", given.remove("state"), NAME_BYTES_MAX)?;
            let step = checked("step", given.remove("step"), NAME_BYTES_MAX)?;
            let (step, state) = filter::stayed(step.as_deref(), state.as_deref())?;
            let filter = filter::filter(&mut given)?;
            Query::FunnelVisitors(id.unwrap_or_default(), filter, step, state)
        }
        "campaigns" => Query::Campaigns,
        "experiments" => Query::Experiments,
        "sources" => Query::Sources,
        "errors" => Query::Errors,
        "releases" => {
            let window = checked("window", given.remove("window"), NAME_BYTES_MAX)?;
            let from = checked("from", given.remove("from"), NAME_BYTES_MAX)?;
            let to = checked("to", given.remove("to"), NAME_BYTES_MAX)?;
            let went_out = filter::went_out(from.as_deref(), to.as_deref())?;
            Query::Releases(filter::minutes(window.as_deref())?, went_out)
        }
        "alerts" => Query::Alerts,
        "presence" => Query::Presence,
        "presence/visitors" => Query::Present,
        "pages" => Query::Pages,
        _ => Query::Activity(filter::wanted(&mut given)?, naming),
    })
}

/// The parameters of a resource, each at most once and none unknown; the required ones are there.
fn given(help: &ResourceHelp, parameters: &str) -> Result<HashMap<String, String>, ApiError> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(parameters)
        .map_err(|error| ApiError::BadRequest("malformed_query", error.to_string()))?;
    let mut given = HashMap::new();
    for (name, value) in pairs.into_inner() {
        if PARAMETERS_OF_READERS.contains(&name.as_str()) {
            continue;
        }
        if !help
            .parameters
            .iter()
            .any(|parameter| parameter.name == name)
        {
            let names: Vec<_> = help
                .parameters
                .iter()
                .map(|parameter| parameter.name)
                .collect();
            let allowed = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            return Err(ApiError::BadRequest(
                "unknown_parameter",
                format!(
                    "{} has no parameter {name:?}; allowed: {allowed}",
                    help.name
                ),
            ));
        }
        if given.contains_key(&name) {
            return Err(ApiError::BadRequest(
                "doubled_parameter",
                format!("the parameter {name} is there twice"),
            ));
        }
        given.insert(name, value);
    }
    for parameter in help
        .parameters
        .iter()
        .filter(|parameter| parameter.required)
    {
        if given.get(parameter.name).is_none_or(String::is_empty) {
            return Err(ApiError::BadRequest(
                "missing_parameter",
                format!(
                    "{} needs {}: the {}",
                    help.name, parameter.name, parameter.value
                ),
            ));
        }
    }
    Ok(given)
}

/// A value that is there; an empty one counts as absent.
pub(super) fn checked(
    name: &str,
    value: Option<String>,
    bytes_max: usize,
) -> Result<Option<String>, ApiError> {
    match value.filter(|value| !value.is_empty()) {
        Some(value) if value.len() > bytes_max => Err(ApiError::BadRequest(
            "parameter_too_long",
            format!("the parameter {name} may have at most {bytes_max} bytes"),
        )),
        value => Ok(value),
    }
}

#[cfg(test)]
mod unit {
    use super::super::help::{BOARD_PARAMETERS, HEAT_PARAMETERS};
    use super::*;
    use crate::live::{ActivityFilter, By, Filter, HeatKind, Seen, Stayed, Window};
    use crate::row::{Device, Kind};
    use upriver_wire::limits::STRING_BYTES_MAX;

    fn query(name: &str, parameters: &str) -> Result<Query, ApiError> {
        super::query(resource(name)?, parameters, Naming::Named)
    }

    fn refused(resource: &str, parameters: &str) -> (&'static str, String) {
        let error = query(resource, parameters).expect_err(parameters);
        (error.code(), error.message().to_owned())
    }

    #[test]
    fn a_url_becomes_a_query() {
        assert_eq!(
            query("overview", "site=shop&ticket=x").ok(),
            Some(Query::Overview)
        );
        let filter = Filter {
            page: "/product/kettle?colour=red".into(),
            device: Some(Device::Phone),
            campaign: Some("(none)".into()),
            variant: Some("buy=b".into()),
            ..Filter::default()
        };
        let asked = "page=%2Fproduct%2Fkettle%3Fcolour%3Dred&device=phone&campaign=(none)\
                     &variant=buy%3Db";
        assert_eq!(
            query("heatmap", asked).ok(),
            Some(Query::HeatMap(HeatKind::Press, filter))
        );
        let all = Filter {
            page: "/".into(),
            ..Filter::default()
        };
        assert_eq!(
            query("heatmap", "page=/&device=").ok(),
            Some(Query::HeatMap(HeatKind::Press, all))
        );
        assert_eq!(
            query("funnel", "id=checkout").ok(),
            Some(Query::Funnel("checkout".into(), Filter::default()))
        );
        let humans = Filter {
            campaign: Some("spring".into()),
            human: true,
            ..Filter::default()
        };
        let asked = "id=checkout&campaign=spring&traffic=human";
        assert_eq!(
            query("funnel", asked).ok(),
            Some(Query::Funnel("checkout".into(), humans.clone()))
        );
        let visitors = query("funnel/visitors", &format!("{asked}&step=2&state=open"));
        assert_eq!(
            visitors.ok(),
            Some(Query::FunnelVisitors(
                "checkout".into(),
                humans,
                2,
                Stayed::Open
            ))
        );
    }

    #[test]
    fn a_heat_map_is_of_a_kind_and_a_time() {
        let check = |asked: &str, kind: HeatKind, filter: Filter| {
            let page = "/p/*".into();
            let expected = Query::HeatMap(kind, Filter { page, ..filter });
            let found = query("heatmap", &format!("page=/p/*&{asked}"));
            assert_eq!(found.ok(), Some(expected), "{asked}");
        };
        let of = |window| Filter {
            window,
            ..Filter::default()
        };
        for kind in HeatKind::ALL {
            check(&format!("kind={}", kind.name()), kind, Filter::default());
            let said = HEAT_PARAMETERS[HEAT_PARAMETERS.len() - 1].value;
            assert!(said.contains(kind.name()), "{} is not told", kind.name());
        }
        check("window=5m", HeatKind::Press, of(Window::Minutes(5)));
        check("window=30m", HeatKind::Press, of(Window::Minutes(30)));
        check("window=today", HeatKind::Press, of(Window::Today));
        check(
            "from=3600000",
            HeatKind::Press,
            of(Window::Since(3_600_000)),
        );
        check("from=1&to=2", HeatKind::Press, of(Window::Between(1, 2)));
        let filter = Filter {
            width: Some(320),
            seen: Some(Seen::Returning),
            human: true,
            ..Filter::default()
        };
        check(
            "width=320&visitors=returning&traffic=human",
            HeatKind::Press,
            filter,
        );
    }

    #[test]
    fn a_feed_is_of_what_is_wanted_in_whatever_order_it_is_said() {
        let wanted = ActivityFilter {
            kinds: vec![Kind::Press, Kind::Fault],
            page: Some("/p/*".into()),
            element: Some(0xa1),
            event: None,
            campaign: Some("(none)".into()),
            source: Some("mail".into()),
            device: Some(Device::Phone),
            human: true,
        };
        let asked = "source=mail&kind=fault,press,fault&page=/p/*&element=00000000000000a1\
                     &campaign=(none)&device=phone&traffic=human";
        assert_eq!(
            query("activity", asked).ok(),
            Some(Query::Activity(wanted, Naming::Named))
        );
        let all = Query::Activity(ActivityFilter::default(), Naming::Named);
        assert_eq!(query("activity", "kind=").ok(), Some(all));
    }

    #[test]
    fn releases_are_those_of_the_live_range_or_of_a_time() {
        let check = |asked: &str, went_out| {
            let found = query("releases", &format!("window=3h{asked}"));
            assert_eq!(found.ok(), Some(Query::Releases(180, went_out)), "{asked}");
        };
        check("", None);
        check("&from=1", Some(Window::Since(1)));
        check("&from=1&to=2", Some(Window::Between(1, 2)));
    }

    #[test]
    fn a_board_compares_by_every_name() {
        for by in By::ALL {
            let asked = query("elements", &format!("page=*&by={}", by.name()));
            let filter = Filter {
                page: "*".into(),
                ..Filter::default()
            };
            assert_eq!(asked.ok(), Some(Query::Board(filter, by)));
            let said = BOARD_PARAMETERS[BOARD_PARAMETERS.len() - 1].value;
            assert!(said.contains(by.name()), "{} is not told", by.name());
        }
        let (code, said) = refused("elements", "page=*&by=taste");
        assert_eq!(code, "unknown_by");
        assert!(said.contains("colour, shape"), "{said}");
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        let check = |resource: &str, parameters: &str, code: &str, says: &str| {
            let (refused, message) = refused(resource, parameters);
            assert_eq!(refused, code);
            assert!(message.contains(says), "{message}");
        };
        check(
            "heat",
            "",
            "not_found",
            "overview, heatmap, elements, funnel",
        );
        check("heatmap", "", "missing_parameter", "needs page");
        check("heatmap", "page=", "missing_parameter", "needs page");
        check(
            "heatmap",
            "page=/&colour=red",
            "unknown_parameter",
            "page, device, width, campaign",
        );
        check("overview", "page=/", "unknown_parameter", "allowed: none");
        check("heatmap", "page=/&page=/b", "doubled_parameter", "page");
        check(
            "heatmap",
            "page=/&device=watch",
            "unknown_device",
            "desktop, tablet, phone",
        );
        check(
            "heatmap",
            "page=/&variant=b",
            "malformed_variant",
            "experiment=variant",
        );
        check(
            "heatmap",
            "page=/&kind=tap",
            "unknown_kind",
            "press, long_press, rage",
        );
        check("heatmap", "page=/&width=100", "unknown_width", "160, 320");
        check(
            "heatmap",
            "page=/&window=7m",
            "unknown_window",
            "5m, 30m, today, day",
        );
        check(
            "heatmap",
            "page=/&window=5m&from=1",
            "impossible_window",
            "either",
        );
        check(
            "heatmap",
            "page=/&to=1",
            "impossible_window",
            "to needs from",
        );
        check(
            "heatmap",
            "page=/&from=2&to=2",
            "impossible_window",
            "before to",
        );
        check(
            "heatmap",
            "page=/&from=now",
            "malformed_moment",
            "Unix milliseconds",
        );
        check(
            "heatmap",
            "page=/&visitors=old",
            "unknown_visitors",
            "new, returning",
        );
        check(
            "heatmap",
            "page=/&traffic=bots",
            "unknown_traffic",
            "all, human",
        );
        check("releases", "to=1", "impossible_window", "to needs from");
        check("releases", "from=x", "malformed_moment", "milliseconds");
        let stayed = |asked: &str, code, says| {
            check("funnel/visitors", &format!("id=a&{asked}"), code, says);
        };
        stayed("state=gone", "unknown_state", "lost, open, converted");
        stayed("state=lost", "missing_parameter", "step");
        stayed("step=0", "impossible_step", "1 to 12");
        stayed("step=13", "impossible_step", "1 to 12");
        check("activity", "kind=tap", "unknown_kind", "press, scroll");
        check("activity", "kind=press,path", "unknown_kind", "\"path\"");
        check("activity", "element=buy", "malformed_element", "16 hex");
        check("activity", "device=watch", "unknown_device", "tablet");
        check("activity", "colour=red", "unknown_parameter", "kind, page");
        check("presence/visitors", "page=/", "unknown_parameter", "none");
        check("funnel", "id=a&page=/", "unknown_parameter", "id, device");
        let long = format!("page=/{}", "a".repeat(STRING_BYTES_MAX));
        check("heatmap", &long, "parameter_too_long", "1024 bytes");
    }
}
