//! What an operator asks: is it alive, does it take events, how is it doing.

use crate::ingest::{Ingest, Pressure};
use actix_web::{HttpResponse, web};
use clickhouse::Client;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::sync::watch;

/// Whether ClickHouse is up right now.
#[derive(Clone)]
pub struct ClickHouseUp(pub watch::Receiver<Option<Client>>);

/// `GET /healthz`: the process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 200 when events are taken. ClickHouse may be away: the log bridges that.
pub async fn readyz(
    ingest: web::Data<Ingest>,
    clickhouse: web::Data<ClickHouseUp>,
) -> HttpResponse {
    let status = ingest.status();
    let (ready, log) = match status.pressure() {
        _ if status.log_failed() => (false, "failed: restart the collector"),
        _ if status.no_space() => (false, "no space on its disk: free some"),
        _ if status.log_gap() => (
            false,
            "a part was spoilt: clickhouse has not said yet what it holds of it",
        ),
        Pressure::Full => (false, "full: clickhouse takes no rows"),
        Pressure::Hard => (
            true,
            "filling up: scrolls, swipes and the like are left out",
        ),
        Pressure::Soft => (
            true,
            "filling up: ways, attention, impressions are left out",
        ),
        Pressure::None => (true, "ok"),
    };
    let (stretches, bytes) = status.damages().total();
    let body = json!({
        "ready": ready,
        "log": log,
        "log_damage": {"stretches": stretches, "bytes": bytes},
        "clickhouse": if clickhouse.0.borrow().is_some() { "up" } else { "away" },
    });
    if ready {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    }
}

/// `GET /metrics`: Prometheus text.
pub async fn metrics(handle: web::Data<PrometheusHandle>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(handle.render())
}
