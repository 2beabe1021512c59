//! From a record of the log to the rows it stands for. Pure and deterministic: the same record
//! gives the same rows, before a crash and after it.

mod context;
mod fill;
#[cfg(test)]
mod tests;

use super::record::BatchRecord;
use crate::row::{self, ElementRow, EventRow};
use context::Context;
pub(super) use fill::kind;
use upriver_wire::batch::{Body, Page, PageRef};

/// How far in the future an event may lie before its time is pulled back to this.
pub const FUTURE_MS_MAX: u64 = 5 * 60 * 1000;

/// Time and number within it for each event of a batch, and whether the time was pulled back.
///
/// Events that follow in sequence never go back in time behind `floor` or behind one another, so
/// the order of a stream is that of its sequence, whatever the clock does between two batches.
pub fn times(record: &BatchRecord) -> impl Iterator<Item = (u64, u16, bool)> + '_ {
    let latest = record.received_ms + FUTURE_MS_MAX;
    let mut page_ms = record.batch.first_ms;
    let mut last = record.floor;
    record.batch.events.iter().map(move |event| {
        page_ms = page_ms.saturating_add(u64::from(event.delta_ms));
        let corrected = page_ms.saturating_add_signed(record.skew_ms);
        let clamped = corrected > latest;
        let time = corrected.min(latest);
        let (time, number) = match last {
            Some((last_time, number)) if time <= last_time => (last_time, number.saturating_add(1)),
            _ => (time, 0),
        };
        last = Some((time, number));
        (time, number, clamped)
    })
}

/// The rows of the events that were new, in order. `lane`, `batch` and `idx` are left at 0.
pub fn event_rows(record: &BatchRecord) -> Vec<EventRow> {
    let batch = &record.batch;
    let mut context = Context::new(record);
    let mut rows = Vec::new();
    for (index, (event, (time, number, clamped))) in
        batch.events.iter().zip(times(record)).enumerate()
    {
        context.enter(&event.body);
        let accepted = record
            .accepted
            .iter()
            .any(|&(start, end)| (usize::from(start)..usize::from(end)).contains(&index));
        if accepted {
            let mut row = context.base();
            row.time = time as i64;
            row.ord = row::order(time, batch.stream.0, number);
            row.clamped = clamped;
            row.seq = batch.first_seq + index as u64;
            fill::fill(&mut row, &context, &event.body);
            rows.push(row);
        }
        context.leave(&event.body);
    }
    rows
}

/// The rows of the elements whose descriptors were new.
pub fn element_rows(record: &BatchRecord) -> Vec<ElementRow> {
    let path = first_page(record).map_or("", |page| &page.path);
    let described = record.described.iter().filter_map(|&index| {
        let element = record.batch.elements.get(usize::from(index))?;
        Some((element, element.descriptor.as_ref()?))
    });
    described
        .map(|(element, descriptor)| ElementRow {
            site: record.site.clone(),
            element: element.id.0,
            received_at: record.received_ms as i64,
            path: path.to_owned(),
            selector: descriptor.selector.clone(),
            label: descriptor.label.clone(),
            role: descriptor.role.clone(),
            background: descriptor.background,
            width: descriptor.size.w,
            height: descriptor.size.h,
            x: descriptor.place.x,
            y: descriptor.place.y,
            radius: descriptor.radius,
            ..ElementRow::default()
        })
        .collect()
}

fn first_page(record: &BatchRecord) -> Option<&Page> {
    match (
        &record.batch.page,
        record.batch.events.first().map(|event| &event.body),
    ) {
        (PageRef::Inline(page), _) => Some(page),
        (PageRef::None, Some(Body::PageView(view))) => Some(&view.page),
        (PageRef::None, _) => None,
    }
}
