//! Resource names and parameters of a URL to a query, or to an error that says what is allowed.

use crate::api::error::ApiError;
use crate::live::{HeatFilter, Query};
use crate::row::Device;
use actix_web::web;
use std::collections::HashMap;
use upriver_wire::limits::{NAME_BYTES_MAX, STRING_BYTES_MAX};

/// A live resource, described for people and programs.
pub(super) struct ResourceHelp {
    pub(super) name: &'static str,
    pub(super) holds: &'static str,
    pub(super) parameters: &'static [ParameterHelp],
}

/// A parameter of a resource.
pub(super) struct ParameterHelp {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) value: &'static str,
}

/// Every resource.
pub(super) const RESOURCES: &[ResourceHelp] = &[
    ResourceHelp {
        name: "overview",
        holds: "the whole site in a few numbers",
        parameters: &[],
    },
    ResourceHelp {
        name: "heatmap",
        holds: "where in each element of a page people pressed",
        parameters: &[
            ParameterHelp {
                name: "page",
                required: true,
                value: "path of the page",
            },
            ParameterHelp {
                name: "device",
                required: false,
                value: "other, desktop, tablet or phone",
            },
            ParameterHelp {
                name: "campaign",
                required: false,
                value: "utm_campaign; (none) for visits without",
            },
            ParameterHelp {
                name: "variant",
                required: false,
                value: "experiment=variant",
            },
        ],
    },
    ResourceHelp {
        name: "funnel",
        holds: "how many visitors got how far",
        parameters: &[ParameterHelp {
            name: "id",
            required: true,
            value: "id of the funnel",
        }],
    },
    ResourceHelp {
        name: "campaigns",
        holds: "what each campaign brings",
        parameters: &[],
    },
    ResourceHelp {
        name: "presence",
        holds: "who is here now",
        parameters: &[],
    },
    ResourceHelp {
        name: "pages",
        holds: "what is looked at",
        parameters: &[],
    },
    ResourceHelp {
        name: "activity",
        holds: "what is happening right now",
        parameters: &[],
    },
];

/// Parameters that say who is asking; the reader has looked at them already.
const PARAMETERS_OF_READERS: [&str; 2] = ["site", "ticket"];

/// The query that a URL asks.
///
/// # Errors
/// 404 for an unknown resource; 400 for an unknown, missing, doubled or impossible parameter.
pub(super) fn query(resource: &str, parameters: &str) -> Result<Query, ApiError> {
    let Some(help) = RESOURCES.iter().find(|help| help.name == resource) else {
        let names: Vec<_> = RESOURCES.iter().map(|help| help.name).collect();
        return Err(ApiError::NotFound(format!(
            "there is no live resource {resource:?}; there are: {}",
            names.join(", ")
        )));
    };
    let mut given = given(help, parameters)?;
    let mut take = |name: &str, bytes_max| checked(name, given.remove(name), bytes_max);
    Ok(match help.name {
        "overview" => Query::Overview,
        "heatmap" => Query::HeatMap(HeatFilter {
            page: take("page", STRING_BYTES_MAX)?.unwrap_or_default(),
            device: take("device", NAME_BYTES_MAX)?
                .map(|name| device(&name))
                .transpose()?,
            campaign: take("campaign", NAME_BYTES_MAX)?,
            variant: take("variant", 2 * NAME_BYTES_MAX + 1)?
                .map(variant)
                .transpose()?,
        }),
        "funnel" => Query::Funnel(take("id", NAME_BYTES_MAX)?.unwrap_or_default()),
        "campaigns" => Query::Campaigns,
        "presence" => Query::Presence,
        "pages" => Query::Pages,
        _ => Query::Activity,
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
fn checked(
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

fn device(name: &str) -> Result<Device, ApiError> {
    let found = Device::ALL.iter().find(|device| device.name() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = Device::ALL.iter().map(|device| device.name()).collect();
        ApiError::BadRequest(
            "unknown_device",
            format!("there is no device {name:?}; allowed: {}", names.join(", ")),
        )
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

#[cfg(test)]
mod unit {
    use super::*;

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
        let filter = HeatFilter {
            page: "/product/kettle?colour=red".into(),
            device: Some(Device::Phone),
            campaign: Some("(none)".into()),
            variant: Some("buy=b".into()),
        };
        let asked = "page=%2Fproduct%2Fkettle%3Fcolour%3Dred&device=phone&campaign=(none)\
                     &variant=buy%3Db";
        assert_eq!(query("heatmap", asked).ok(), Some(Query::HeatMap(filter)));
        let all = HeatFilter {
            page: "/".into(),
            ..HeatFilter::default()
        };
        assert_eq!(
            query("heatmap", "page=/&device=").ok(),
            Some(Query::HeatMap(all))
        );
        assert_eq!(
            query("funnel", "id=checkout").ok(),
            Some(Query::Funnel("checkout".into()))
        );
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        let check = |resource, parameters, code, says: &str| {
            let (refused, message) = refused(resource, parameters);
            assert_eq!(refused, code);
            assert!(message.contains(says), "{message}");
        };
        check("heat", "", "not_found", "overview, heatmap, funnel");
        check("heatmap", "", "missing_parameter", "needs page");
        check("heatmap", "page=", "missing_parameter", "needs page");
        check(
            "heatmap",
            "page=/&colour=red",
            "unknown_parameter",
            "page, device, campaign",
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
        let long = format!("page=/{}", "a".repeat(STRING_BYTES_MAX));
        check("heatmap", &long, "parameter_too_long", "1024 bytes");
    }
}
