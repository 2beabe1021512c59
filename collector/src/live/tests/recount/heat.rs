//! Heat maps again, slowly: every event is asked whether it counts, every cell where it lies.

use crate::live::{Filter, HeatKind, Window};
use crate::row::{EventRow, Kind};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use upriver_wire::ElementId;
use upriver_wire::live::{HeatElement, HeatMap};

/// The heat map of a site's rows at a time.
pub(super) fn heat(kind: HeatKind, filter: &Filter, rows: &[&EventRow], now_ms: u64) -> HeatMap {
    let mut cells: BTreeMap<u64, BTreeMap<u16, u64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| counts(row, filter, now_ms)) {
        for (element, cell, amount) in cells_of(kind, row) {
            *cells.entry(element).or_default().entry(cell).or_default() += amount;
        }
    }
    cells
        .values_mut()
        .for_each(|cells| cells.retain(|_, amount| *amount > 0));
    cells.retain(|_, cells| !cells.is_empty());
    let mut elements: Vec<_> = cells
        .into_iter()
        .map(|(element, cells)| HeatElement {
            element: ElementId(element),
            total: cells.values().sum(),
            cells: cells.into_iter().collect(),
            ..HeatElement::default()
        })
        .collect();
    elements.sort_by_key(|row| Reverse(row.total));
    let (columns, lines) = kind.over().size();
    HeatMap {
        basis: None,
        page: filter.page.clone(),
        kind: kind.name().into(),
        unit: kind.unit().into(),
        over: kind.over().name().into(),
        columns,
        rows: lines,
        total: elements.iter().map(|row| row.total).sum(),
        elements,
    }
}

fn counts(row: &EventRow, filter: &Filter, now_ms: u64) -> bool {
    let minute_ms = 60_000;
    let from_ms = match filter.window {
        Window::Day => now_ms / 3_600_000 * 3_600_000 - 23 * 3_600_000,
        Window::Minutes(minutes) => (now_ms / minute_ms - minutes) * minute_ms,
        Window::Today => now_ms / 86_400_000 * 86_400_000,
        Window::Since(from_ms) => from_ms,
        Window::Between(..) => panic!("not kept in memory"),
    };
    let page = match filter.page.strip_suffix('*') {
        Some(start) => row.path.starts_with(start),
        None => row.path == filter.page,
    };
    let campaign = filter.campaign.as_deref();
    page && row.time >= from_ms as i64
        && filter.device.is_none_or(|device| device == row.device)
        && filter.width.is_none_or(|width| width == row.width_bucket)
        && campaign.is_none_or(|name| row.utm_campaign == if name == "(none)" { "" } else { name })
        && filter.variant.as_ref().is_none_or(|wanted| {
            row.variants
                .iter()
                .any(|(e, v)| format!("{e}={v}") == *wanted)
        })
        && (!filter.human || row.bot_score < 50)
}

/// The part of `of`, cut in `parts`, that holds a place; the ends hold what lies beyond them.
fn part(place: i64, of: u32, parts: i64) -> u16 {
    let within = |part: &i64| place * parts < (part + 1) * i64::from(of);
    (0..parts - 1).find(within).unwrap_or(parts - 1) as u16
}

fn cells_of(kind: HeatKind, row: &EventRow) -> Vec<(u64, u16, u64)> {
    let one = |of: Kind, cell: u16| {
        let own = (row.kind == of).then_some((row.element, cell, 1));
        own.into_iter().collect()
    };
    let spot = |of| one(of, u16::from(row.cell));
    match kind {
        HeatKind::Press => spot(Kind::Press),
        HeatKind::LongPress => spot(Kind::LongPress),
        HeatKind::Rage => spot(Kind::Rage),
        HeatKind::Dead => spot(Kind::Dead),
        HeatKind::ErrorPress => spot(Kind::ErrorPress),
        HeatKind::Hesitation => spot(Kind::Hesitation),
        HeatKind::Swipe => spot(Kind::Swipe),
        HeatKind::Impression => one(Kind::Impression, 0),
        HeatKind::SwipeDirection => one(Kind::Swipe, row.direction as u16),
        HeatKind::ScrollDirection => one(Kind::Scroll, row.direction as u16),
        HeatKind::ScrollDepth => {
            let edge = i64::from(row.page_y) + i64::from(row.viewport_h);
            let known = row.kind == Kind::Scroll && row.element == 0 && row.document_h > 0;
            let band = known.then(|| (0, part(edge, row.document_h, 20), 1));
            band.into_iter().filter(|_| row.viewport_h > 0).collect()
        }
        HeatKind::Attention if row.kind == Kind::Attention => {
            let bands = row.bands.iter().enumerate();
            bands
                .map(|(at, ms)| (0, u16::from(row.first_band) + at as u16, u64::from(*ms)))
                .collect()
        }
        HeatKind::Move if row.kind == Kind::Path && row.document_w > 0 && row.document_h > 0 => {
            let scrolled = (
                i64::from(row.page_x) - i64::from(row.client_x),
                i64::from(row.page_y) - i64::from(row.client_y),
            );
            (0..row.way_ms.len().saturating_sub(1))
                .map(|at| {
                    let x = part(i64::from(row.way_x[at]) + scrolled.0, row.document_w, 32);
                    let y = part(i64::from(row.way_y[at]) + scrolled.1, row.document_h, 128);
                    (
                        0,
                        y * 32 + x,
                        u64::from(row.way_ms[at + 1] - row.way_ms[at]),
                    )
                })
                .collect()
        }
        HeatKind::SwipePath
            if row.kind == Kind::Swipe && row.viewport_w > 0 && row.viewport_h > 0 =>
        {
            let mut cells: Vec<u16> = (0..17)
                .map(|k| {
                    // In sixteenths of a pixel, so that nothing is rounded.
                    let x = i64::from(row.client_x) * 16 + i64::from(row.dx) * k;
                    let y = i64::from(row.client_y) * 16 + i64::from(row.dy) * k;
                    part(y, row.viewport_h * 16, 16) * 16 + part(x, row.viewport_w * 16, 16)
                })
                .collect();
            cells.sort_unstable();
            cells.dedup();
            cells.into_iter().map(|cell| (0, cell, 1)).collect()
        }
        _ => Vec::new(),
    }
}
