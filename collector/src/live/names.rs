//! Names to small numbers and back, counted by use: a name nothing in the live range uses is
//! forgotten, a name past the bound becomes `(other)`.

use hashbrown::{DefaultHashBuilder, Equivalent, HashTable};
use std::hash::{BuildHasher, Hash};

/// What everything past a bound is called.
pub(crate) const OTHER: &str = "(other)";
/// What an empty name is called in a list of groups.
pub(crate) const NONE: &str = "(none)";
/// The number of `(other)`.
pub(crate) const OTHER_ID: u32 = 0;

/// A table of names. Number 0 is `(other)`.
#[derive(Debug)]
pub(crate) struct Names<K> {
    ids: HashTable<u32>,
    slots: Vec<Slot<K>>,
    free: Vec<u32>,
    max: usize,
    hasher: DefaultHashBuilder,
    overflowed: u64,
}

#[derive(Debug)]
struct Slot<K> {
    name: K,
    uses: u64,
}

impl<K: Eq + Hash> Names<K> {
    /// A table of at most `max` names beside `(other)`.
    pub(crate) fn new(other: K, max: usize) -> Self {
        let mut names = Self {
            ids: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            max,
            hasher: DefaultHashBuilder::default(),
            overflowed: 0,
        };
        // Someone may really be called "(other)"; then both share the row, as both would in a list.
        let hash = names.hasher.hash_one(&other);
        names.slots.push(Slot {
            name: other,
            uses: 1,
        });
        names.ids.insert_unique(hash, OTHER_ID, |_| hash);
        names
    }

    /// The number of a name, known from here on; one more use of it. `(other)` past the bound.
    pub(crate) fn acquire<Q>(&mut self, name: &Q, own: impl FnOnce(&Q) -> K) -> u32
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hasher.hash_one(name);
        if let Some(&id) = self
            .ids
            .find(hash, |&id| name.equivalent(&self.slots[id as usize].name))
        {
            self.slots[id as usize].uses += 1;
            return id;
        }
        if self.ids.len() > self.max {
            self.overflowed += 1;
            self.slots[OTHER_ID as usize].uses += 1;
            return OTHER_ID;
        }
        let slot = Slot {
            name: own(name),
            uses: 1,
        };
        let id = if let Some(id) = self.free.pop() {
            self.slots[id as usize] = slot;
            id
        } else {
            self.slots.push(slot);
            (self.slots.len() - 1) as u32
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.ids
            .insert_unique(hash, id, |&id| hasher.hash_one(&slots[id as usize].name));
        id
    }

    /// One more use of a number that is in use.
    pub(crate) fn again(&mut self, id: u32) {
        self.slots[id as usize].uses += 1;
    }

    /// Gives back uses. True when it was the last and the name is forgotten: its number will
    /// mean something else. The name stays readable until then.
    pub(crate) fn release(&mut self, id: u32, uses: u64) -> bool {
        let slot = &mut self.slots[id as usize];
        slot.uses -= uses;
        if slot.uses > 0 {
            return false;
        }
        let hash = self.hasher.hash_one(&self.slots[id as usize].name);
        if let Ok(entry) = self.ids.find_entry(hash, |&other| other == id) {
            entry.remove();
        }
        self.free.push(id);
        true
    }

    /// The number of a name, if it is in use.
    pub(crate) fn find<Q>(&self, name: &Q) -> Option<u32>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let hash = self.hasher.hash_one(name);
        self.ids
            .find(hash, |&id| name.equivalent(&self.slots[id as usize].name))
            .copied()
    }

    /// The name of a number in use.
    pub(crate) fn name(&self, id: u32) -> &K {
        &self.slots[id as usize].name
    }

    /// Names in use, `(other)` among them.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Names kept beside `(other)`, and times a name was counted as that.
    pub(crate) fn usage(&self) -> (usize, u64) {
        (self.ids.len() - 1, self.overflowed)
    }

    /// The numbers in use, `(other)` among them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.ids.iter().copied()
    }

    /// Times a name was counted as `(other)`.
    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed
    }
}

impl Names<Box<str>> {
    /// `acquire` of a text.
    pub(crate) fn acquire_text(&mut self, name: &str) -> u32 {
        self.acquire(&Text(name), |name| name.0.into())
    }
}

impl<const N: usize> Names<[Box<str>; N]> {
    /// `acquire` of texts that are one name together.
    pub(crate) fn acquire_texts(&mut self, names: [&str; N]) -> u32 {
        self.acquire(&Texts(names), |names| names.0.map(Into::into))
    }
}

/// A text to look up. Hashes as `str` does.
#[derive(Hash)]
struct Text<'a>(&'a str);

impl Equivalent<Box<str>> for Text<'_> {
    fn equivalent(&self, name: &Box<str>) -> bool {
        is_same(self.0, name)
    }
}

/// Texts to look up. Hash as an array of `str` does.
#[derive(Hash)]
struct Texts<'a, const N: usize>([&'a str; N]);

impl<const N: usize> Equivalent<[Box<str>; N]> for Texts<'_, N> {
    fn equivalent(&self, names: &[Box<str>; N]) -> bool {
        std::iter::zip(&self.0, names).all(|(text, name)| is_same(text, name))
    }
}

/// Whether two texts are the same. Most texts of an event are empty, and an empty text lies nowhere:
/// the C library compares such by a masked load from an address that is not mapped, which the
/// processor forgives, but only after some hundred cycles.
pub(crate) fn is_same(a: &str, b: &str) -> bool {
    a.len() == b.len() && (a.is_empty() || a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_lives_as_long_as_it_is_used_and_the_bound_holds() {
        let mut names: Names<Box<str>> = Names::new(OTHER.into(), 2);
        let a = names.acquire_text("a");
        assert_eq!(names.acquire_text("a"), a);
        let b = names.acquire_text("b");
        assert_eq!(names.acquire_text("c"), OTHER_ID);
        assert_eq!((names.len(), names.overflowed()), (3, 1));
        assert!(!names.release(a, 1));
        assert!(names.release(a, 1));
        assert_eq!(names.find("a"), None);
        let c = names.acquire_text("c");
        assert_eq!((c, &**names.name(c), &**names.name(b)), (a, "c", "b"));
        assert_eq!(names.acquire_text(OTHER), OTHER_ID);
    }
}
