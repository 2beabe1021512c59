//! What an operator asks: is it alive, does it take events, how is it doing.

use crate::ingest::Ingest;
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
    let log_failed = ingest.status().log_failed();
    let body = json!({
        "ready": !log_failed,
        "log": if log_failed { "failed: restart the collector" } else { "ok" },
        "clickhouse": if clickhouse.0.borrow().is_some() { "up" } else { "away" },
    });
    if log_failed {
        HttpResponse::ServiceUnavailable().json(body)
    } else {
        HttpResponse::Ok().json(body)
    }
}

/// `GET /metrics`: Prometheus text.
pub async fn metrics(handle: web::Data<PrometheusHandle>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(handle.render())
}
