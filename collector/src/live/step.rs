//! A step of a funnel, three ways: as a test on an event, in words, and as a condition in SQL.
//! The three must say the same.

use super::sql;
use crate::config::{Step, StepKind};
use crate::row::{EventRow, Kind};

/// A step, ready to be tested.
#[derive(Clone, Debug)]
pub(crate) struct CompiledStep {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    page: Option<String>,
    element: Option<u64>,
    event: Option<String>,
}

impl CompiledStep {
    /// From the sites file. The element was checked there.
    pub(crate) fn new(step: &Step) -> Self {
        Self {
            name: step.name.clone(),
            kind: kind(step.kind),
            page: step.page.clone(),
            // An id that is not one matches nothing, as it would in SQL: ids are never u64::MAX.
            element: step
                .element
                .as_ref()
                .map(|id| u64::from_str_radix(id, 16).unwrap_or(u64::MAX)),
            event: step.event.clone(),
        }
    }

    /// Whether an event matches.
    pub(crate) fn matches(&self, row: &EventRow) -> bool {
        row.kind == self.kind
            && self.element.is_none_or(|element| element == row.element)
            && self.event.as_ref().is_none_or(|event| *event == row.name)
            && self
                .page
                .as_ref()
                .is_none_or(|page| sql::glob_matches(page, &row.path))
    }

    /// In words.
    pub(crate) fn words(&self) -> String {
        let mut words = self.kind.name().replace('_', " ");
        if let Some(event) = &self.event {
            words.push_str(&format!(" named {event:?}"));
        }
        if let Some(element) = self.element {
            words.push_str(&format!(" of element {element:016x}"));
        }
        if let Some(page) = &self.page {
            words.push_str(&format!(" on {page}"));
        }
        words
    }

    /// As a condition.
    pub(crate) fn sql(&self) -> String {
        let mut sql = format!("kind = {}", sql::literal(self.kind.name()));
        if let Some(page) = &self.page {
            sql.push_str(&format!(" AND {}", sql::glob("path", page)));
        }
        if let Some(element) = self.element {
            sql.push_str(&format!(" AND element = {element}"));
        }
        if let Some(event) = &self.event {
            sql.push_str(&format!(" AND name = {}", sql::literal(event)));
        }
        sql
    }
}

fn kind(kind: StepKind) -> Kind {
    match kind {
        StepKind::PageView => Kind::PageView,
        StepKind::Press => Kind::Press,
        StepKind::Scroll => Kind::Scroll,
        StepKind::Swipe => Kind::Swipe,
        StepKind::Custom => Kind::Custom,
        StepKind::Conversion => Kind::Conversion,
        StepKind::Exposure => Kind::Exposure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_words_and_sql_say_the_same() {
        let step = CompiledStep::new(&Step {
            name: "Buy".into(),
            kind: StepKind::Press,
            page: Some("/product/*".into()),
            element: Some("00000000000000ff".into()),
            event: None,
        });
        assert_eq!(
            step.words(),
            "press of element 00000000000000ff on /product/*"
        );
        assert_eq!(
            step.sql(),
            "kind = 'press' AND path LIKE '/product/%' AND element = 255"
        );
        let mut row = EventRow {
            kind: Kind::Press,
            path: "/product/kettle".into(),
            element: 255,
            ..Default::default()
        };
        assert!(step.matches(&row));
        row.element = 254;
        assert!(!step.matches(&row));
    }
}
