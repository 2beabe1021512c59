//! A step of a funnel, three ways: as a test on an event, in words, and as a condition in SQL.
//! The three must say the same.

use super::sql;
use crate::config::Step;
use crate::row::{EventRow, Kind};

/// A step, ready to be tested.
#[derive(Clone, Debug)]
pub(crate) struct CompiledStep {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    page: Option<String>,
    element: Option<u64>,
    event: Option<String>,
    props: Vec<(String, String)>,
}

impl CompiledStep {
    /// From the sites file. The element was checked there.
    pub(crate) fn new(step: &Step) -> Self {
        Self {
            name: step.name.clone(),
            kind: step.kind,
            page: step.page.clone(),
            // An id that is not one matches nothing, as it would in SQL: ids are never u64::MAX.
            element: step
                .element
                .as_ref()
                .map(|id| u64::from_str_radix(id, 16).unwrap_or(u64::MAX)),
            event: step.event.clone(),
            props: step.props.clone().into_iter().collect(),
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
            && self.props.iter().all(|(name, wanted)| {
                // Of a name that is there twice the first counts, as it does in SQL.
                let found = row.props.iter().find(|(known, _)| known == name);
                found.is_some_and(|(_, value)| sql::glob_matches(wanted, value))
            })
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
        for (name, value) in &self.props {
            words.push_str(&format!(" with {name} {value:?}"));
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
        for (name, value) in &self.props {
            let name = sql::literal(name);
            let value = sql::glob(&format!("props[{name}]"), value);
            sql.push_str(&format!(" AND mapContains(props, {name}) AND {value}"));
        }
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_words_and_sql_say_the_same() {
        let step = CompiledStep::new(&Step {
            name: "Buy".into(),
            kind: Kind::Press,
            page: Some("/product/*".into()),
            element: Some("00000000000000ff".into()),
            event: None,
            props: [("colour".to_owned(), "r*".to_owned())].into(),
            times: 1,
        });
        assert_eq!(
            step.words(),
            "press of element 00000000000000ff on /product/* with colour \"r*\""
        );
        assert_eq!(
            step.sql(),
            "kind = 'press' AND path LIKE '/product/%' AND element = 255 AND \
             mapContains(props, 'colour') AND props['colour'] LIKE 'r%'"
        );
        let mut row = EventRow {
            kind: Kind::Press,
            path: "/product/kettle".into(),
            element: 255,
            props: vec![("colour".into(), "red".into())],
            ..Default::default()
        };
        assert!(step.matches(&row));
        row.element = 254;
        assert!(!step.matches(&row));
        row.element = 255;
        row.props[0].1 = "blue".into();
        assert!(!step.matches(&row));
        row.props.clear();
        assert!(!step.matches(&row));
    }
}
