//! Numbers from the rows that the SQL beside a live answer gives, by the same names as those of the
//! answer. Runs nothing.

use super::numbers::{BOARD, Numbers, OVERVIEW, Place, RELEASES, activity_key, here, release_key};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use upriver_collector::live::Resource;

impl Numbers {
    /// Takes the rows in that the SQL beside a live answer gave, one JSON object a row.
    ///
    /// # Errors
    /// A row is not of the shape that SQL gives.
    pub(super) fn take_sql(
        &mut self,
        place: &Place,
        answer: &Resource,
        rows: &[Value],
    ) -> Result<()> {
        for row in rows {
            let text = |field: &str| {
                row[field]
                    .as_str()
                    .with_context(|| format!("no {field} in {row}"))
            };
            let (key, fields): (_, &[&str]) = match answer {
                Resource::Overview(_) => ("overview".to_owned(), &OVERVIEW),
                Resource::Campaigns(_) => (
                    format!(
                        "campaigns/{}|{}|{}",
                        text("source")?,
                        text("medium")?,
                        text("campaign")?
                    ),
                    &["visitors", "engaged", "converted", "conversions"],
                ),
                Resource::Experiments(_) => {
                    let key = format!("experiments/{}", text("experiment")?);
                    self.add(format!("{key}/conflicting"), whole(&row["conflicting"])?);
                    (
                        format!("{key}/{}", text("variant")?),
                        &["visitors", "converted", "conversions"],
                    )
                }
                Resource::Errors(_) => {
                    let (message, source) = (text("message")?, text("source")?);
                    let (line, funnel) = (whole(&row["line"])?, text("funnel")?);
                    let step = whole(&row["step"])?;
                    let fields: &[&str] = match funnel {
                        "" => &["errors", "visitors", "last_ms"],
                        _ => &["errors", "visitors"],
                    };
                    (
                        format!("errors/{message}|{source}|{line}/{funnel}/{step}"),
                        fields,
                    )
                }
                Resource::Sources(_) => (
                    format!(
                        "sources/{}|{}|{}",
                        text("source")?,
                        text("medium")?,
                        text("referrer")?
                    ),
                    &["visitors", "engaged", "converted", "conversions"],
                ),
                Resource::Releases(_) => (
                    release_key(text("name")?, text("id")?, text("side")?),
                    &RELEASES,
                ),
                Resource::Pages(_) => (
                    format!("pages/{}", text("path")?),
                    &["views", "visitors", "presses"],
                ),
                Resource::Funnel(funnel) => {
                    let (step, value) = (whole(&row["step"])?, text("value")?);
                    let key = format!("{place}funnel/{}", funnel.id);
                    match text("dimension")? {
                        "" => (format!("{key}/{step}"), &["visitors", "open", "lost"]),
                        "took" => {
                            self.add(format!("{key}/took/{value}"), whole(&row["visitors"])?);
                            continue;
                        }
                        by => {
                            let name = format!("{key}/group/{by}/{value}/{step}");
                            self.add(name, whole(&row["visitors"])?);
                            continue;
                        }
                    }
                }
                Resource::FunnelVisitors(stayed) => {
                    let key = format!("{place}stayed/{}/{}", stayed.id, stayed.state);
                    let ms = |field: &str| row[field].as_u64().context("no moment");
                    let none = |field: &str| {
                        let name = text(field)?;
                        anyhow::Ok(if name.is_empty() { "(none)" } else { name })
                    };
                    let with = [
                        none("campaign")?,
                        none("source")?,
                        text("device")?,
                        none("page")?,
                    ];
                    let (began_ms, reached_ms) = (ms("began_ms")?, ms("reached_ms")?);
                    self.stayed(&key, text("visitor")?, began_ms, reached_ms, with);
                    continue;
                }
                Resource::Board(_) => {
                    let (element, value) = (text("element_id")?, text("value")?);
                    let fields: &[&str] = match value {
                        "" => &BOARD,
                        _ => &["seen", "pressed", "hesitated", "undecided"],
                    };
                    (format!("{place}/{element}/{value}"), fields)
                }
                Resource::HeatMap(_) => {
                    let cell = whole(&row["cell"])?;
                    let name = format!("{place}/{}/{cell}", text("element_id")?);
                    self.add(name, whole(&row["amount"])?);
                    continue;
                }
                Resource::Activity(_) => {
                    let (visitor, kind) = (text("visitor_start")?, text("kind")?);
                    let time_ms = row["time_ms"].as_u64().context("no time")?;
                    let name = activity_key(place, visitor, kind, time_ms, text("path")?);
                    self.add(format!("{name}/{}", text("element_id")?), 1);
                    continue;
                }
                Resource::Presence(_) => {
                    let (dimension, name) = (text("dimension")?, text("name")?);
                    let named = dimension == "online" || !name.is_empty();
                    let name = here(dimension, if named { name } else { "(none)" });
                    self.add(name, whole(&row["visitors"])?);
                    continue;
                }
                Resource::PresentVisitors(_) => {
                    let ms = |field: &str| row[field].as_u64().context("no moment");
                    let none = |field: &str| {
                        let name = text(field)?;
                        anyhow::Ok(if name.is_empty() { "(none)" } else { name })
                    };
                    let (page, campaign) = (none("page")?, none("campaign")?);
                    let (kind, element) = (text("kind")?, text("element_id")?);
                    let with = [page, text("device")?, campaign, kind, element];
                    self.here(text("visitor")?, with, ms("since_ms")?, ms("last_ms")?);
                    continue;
                }
                Resource::Alerts(_) => {
                    bail!("not compared")
                }
            };
            for field in fields {
                self.add(format!("{key}/{field}"), whole(&row[*field])?);
            }
            if let Some(values) = row["value_micros"].as_object() {
                for (currency, micros) in values {
                    self.add(format!("{key}/value/{currency}"), whole(micros)?);
                }
            }
            if let Some(minutes) = row["minutes"].as_array() {
                for (minute, views) in minutes.iter().enumerate() {
                    self.add(format!("{key}/minute/{minute}"), whole(views)?);
                }
            }
        }
        Ok(())
    }
}

/// A whole number, which ClickHouse writes as a number or, when it is wide, as text.
fn whole(value: &Value) -> Result<i128> {
    match value {
        Value::Number(number) => number.to_string().parse().map_err(Into::into),
        Value::String(text) => text.parse().map_err(Into::into),
        other => bail!("{other} is not a number"),
    }
}
