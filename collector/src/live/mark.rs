//! Which elements a visitor saw, hesitated over and pressed, and in which hours.
//!
//! Owns the numbers that stand for a page's element, for how it looked and for how it was met. Bounded
//! in total; what is past the bound is counted by hour. Knows nothing of how marks are summed up.

use super::filter::is_robot;
use super::limits::Bounds;
use super::names::{Names, OTHER_ID};
use super::origin::Origins;
use super::range::{Hour, HourSet, Hourly};
use super::visitor::Visitor;
use crate::row::{EventRow, Kind};

/// What a visitor did with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// One kind of deed with one element, under one origin: of a mark all but who did it, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Manner {
    pub(crate) subject: u32,
    pub(crate) origin: u32,
    /// Number of the style; that of `(other)` for what has none.
    pub(crate) style: u32,
    /// Width bucket.
    pub(crate) width: u16,
    pub(crate) deed: Deed,
    pub(crate) robot: bool,
}

/// What one visitor did, by the number of the manner. Many do the same, so they share it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) manner: u32,
    pub(crate) hours: HourSet,
}

/// What marks of one site refer to.
#[derive(Debug)]
pub(crate) struct Marks {
    pub(crate) subjects: Names<Subject>,
    pub(crate) styles: Names<Style>,
    /// Each holds one use of everything it names. There are no more than marks.
    pub(crate) manners: Names<Manner>,
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
            manners: Names::new(
                Manner {
                    subject: OTHER_ID,
                    origin: OTHER_ID,
                    style: OTHER_ID,
                    width: 0,
                    deed: Deed::Saw,
                    robot: false,
                },
                bounds.marks,
            ),
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
        let manner = Manner {
            subject: self.subjects.acquire(&subject, |subject| *subject),
            origin: origins.acquire(row),
            style: match deed {
                Deed::Saw => self.styles.acquire(&Style::of(row), |style| *style),
                _ => self.no_style(),
            },
            width: row.width_bucket,
            deed,
            robot: is_robot(row),
        };
        let seen_style = deed == Deed::Saw && manner.style != OTHER_ID;
        let is_told_apart = manner.subject != OTHER_ID && (deed != Deed::Saw || seen_style);
        let known = self.manners.find(&manner);
        let of = |mark: &Mark| mark.manner;
        let own = known.and_then(|known| visitor.marks.binary_search_by_key(&known, of).ok());
        if let Some(own) = own {
            visitor.marks[own].hours.insert(hour);
            self.release(manner, origins);
        } else if is_told_apart && self.kept < self.kept_max {
            self.kept += 1;
            let number = self.manners.acquire(&manner, |manner| *manner);
            if known.is_some() {
                self.release(manner, origins);
            }
            let mut hours = HourSet::default();
            hours.insert(hour);
            let place = visitor.marks.partition_point(|mark| mark.manner < number);
            let mark = Mark {
                manner: number,
                hours,
            };
            visitor.marks.insert(place, mark);
        } else {
            *self.not_kept.at(hour) += 1;
            self.release(manner, origins);
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
                if self.manners.release(mark.manner, 1) {
                    self.release(*self.manners.name(mark.manner), origins);
                }
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

    fn release(&mut self, manner: Manner, origins: &mut Origins) {
        self.subjects.release(manner.subject, 1);
        self.styles.release(manner.style, 1);
        origins.release(manner.origin);
    }
}
