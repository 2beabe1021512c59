//! Which elements a visitor saw, hesitated over and pressed, and in which hours.
//!
//! Owns the numbers that stand for a page's element and for how it looked. Bounded in total; what
//! is past the bound is counted by hour. Knows nothing of how marks are summed up.

use super::filter::is_robot;
use super::limits::Bounds;
use super::names::{Names, OTHER_ID};
use super::origin::Origins;
use super::range::{Hour, HourSet, Hourly};
use super::visitor::Visitor;
use crate::row::{EventRow, Kind};

/// What a visitor did with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    Saw,
    Hesitated,
    Pressed,
}

impl Deed {
    fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Impression => Some(Self::Saw),
            Kind::Hesitation => Some(Self::Hesitated),
            Kind::Press => Some(Self::Pressed),
            _ => None,
        }
    }
}

/// An element on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    pub(crate) page: u32,
    pub(crate) element: u64,
}

/// How an element looked when it was seen, as far as looks are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Style {
    /// `0xRRGGBB`.
    pub(crate) colour: u32,
    pub(crate) shape: Shape,
    /// Width and height, rounded down to steps of [`SIZE_STEP`].
    pub(crate) size: (u32, u32),
    /// Which screenful from the top, and which third from the left; none where sizes are not known.
    pub(crate) place: Option<(u32, u8)>,
}

/// CSS pixels between two sizes that are told apart.
pub(crate) const SIZE_STEP: u32 = 20;

/// The corners of a box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    #[default]
    Square,
    Rounded,
    Round,
}

impl Style {
    fn of(row: &EventRow) -> Self {
        let (width, height) = (row.look_width, row.look_height);
        let radius = u64::from(row.look_radius);
        let shape = match radius {
            0 => Shape::Square,
            _ if radius * 2 >= u64::from(width.min(height)) => Shape::Round,
            _ => Shape::Rounded,
        };
        let known = row.viewport_h > 0 && row.document_w > 0;
        let centre = |at: i32, length: u32| i64::from(at) + i64::from(length) / 2;
        let place = known.then(|| {
            let down = centre(row.look_y, height).max(0) / i64::from(row.viewport_h);
            let across = centre(row.look_x, width) * 3 / i64::from(row.document_w);
            (down as u32, across.clamp(0, 2) as u8)
        });
        Self {
            colour: row.look_background,
            shape,
            size: (
                width / SIZE_STEP * SIZE_STEP,
                height / SIZE_STEP * SIZE_STEP,
            ),
            place,
        }
    }
}

/// One kind of deed of one visitor with one element, under one origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) subject: u32,
    pub(crate) origin: u32,
    /// Number of the style; that of `(other)` for what has none.
    pub(crate) style: u32,
    /// Width bucket.
    pub(crate) width: u16,
    pub(crate) deed: Deed,
    pub(crate) robot: bool,
    pub(crate) hours: HourSet,
}

impl Mark {
    fn key(&self) -> (u32, Deed, u32, u32, u16, bool) {
        let Self {
            subject,
            deed,
            origin,
            style,
            width,
            robot,
            ..
        } = *self;
        (subject, deed, origin, style, width, robot)
    }
}

/// What marks of one site refer to.
#[derive(Debug)]
pub(crate) struct Marks {
    pub(crate) subjects: Names<Subject>,
    pub(crate) styles: Names<Style>,
    kept: usize,
    kept_max: usize,
    not_kept: Hourly<u64>,
}

impl Marks {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let other = Subject {
            page: OTHER_ID,
            element: 0,
        };
        Self {
            subjects: Names::new(other, bounds.subjects),
            styles: Names::new(Style::default(), bounds.styles),
            kept: 0,
            kept_max: bounds.marks,
            not_kept: Hourly::default(),
        }
    }

    /// Marks what a visitor did. True when it is a deed that is marked.
    pub(crate) fn count(
        &mut self,
        row: &EventRow,
        page: u32,
        hour: Hour,
        visitor: Option<&mut Visitor>,
        origins: &mut Origins,
    ) -> bool {
        let Some(deed) = Deed::of(row.kind).filter(|_| row.element != 0) else {
            return false;
        };
        let Some(visitor) = visitor else {
            *self.not_kept.at(hour) += 1;
            return true;
        };
        let subject = Subject {
            page,
            element: row.element,
        };
        let mut mark = Mark {
            subject: self.subjects.acquire(&subject, |subject| *subject),
            origin: origins.acquire(row),
            style: match deed {
                Deed::Saw => self.styles.acquire(&Style::of(row), |style| *style),
                _ => self.no_style(),
            },
            width: row.width_bucket,
            deed,
            robot: is_robot(row),
            hours: HourSet::default(),
        };
        let seen_style = deed == Deed::Saw && mark.style != OTHER_ID;
        let known = mark.subject != OTHER_ID && (deed != Deed::Saw || seen_style);
        let place = visitor.marks.binary_search_by_key(&mark.key(), Mark::key);
        match place {
            Ok(place) if known => {
                visitor.marks[place].hours.insert(hour);
                self.release(&mark, origins);
            }
            Err(place) if known && self.kept < self.kept_max => {
                self.kept += 1;
                mark.hours.insert(hour);
                visitor.mark(place, mark);
            }
            _ => {
                *self.not_kept.at(hour) += 1;
                self.release(&mark, origins);
            }
        }
        true
    }

    /// Forgets hours of one visitor.
    pub(crate) fn forget_visitor(
        &mut self,
        visitor: &mut Visitor,
        gone: HourSet,
        origins: &mut Origins,
    ) {
        visitor.marks.retain_mut(|mark| {
            mark.hours.remove(gone);
            let stays = !mark.hours.is_empty();
            if !stays {
                self.kept -= 1;
                self.release(mark, origins);
            }
            stays
        });
    }

    /// Forgets hours. Every visitor must have forgotten them before.
    pub(crate) fn forget(&mut self, gone: HourSet) {
        self.not_kept.forget(gone, |_| ());
    }

    /// Whether every deed of the range is marked.
    pub(crate) fn every_one_kept(&self) -> bool {
        self.not_kept.values().all(|count| *count == 0)
    }

    /// Marks kept, and deeds not marked.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.kept, self.not_kept.values().sum())
    }

    /// Elements on pages that are told apart, and deeds with others.
    pub(crate) fn subjects_usage(&self) -> (usize, u64) {
        self.subjects.usage()
    }

    /// Looks that are told apart, and times another one was seen.
    pub(crate) fn styles_usage(&self) -> (usize, u64) {
        self.styles.usage()
    }

    fn no_style(&mut self) -> u32 {
        self.styles.again(OTHER_ID);
        OTHER_ID
    }

    fn release(&mut self, mark: &Mark, origins: &mut Origins) {
        self.subjects.release(mark.subject, 1);
        self.styles.release(mark.style, 1);
        origins.release(mark.origin);
    }
}
