//! A short list of fixed room, the oldest first.
//!
//! Owns the order and the bound: one more than there is room for forgets the oldest. Refuses to know
//! what is listed. There is no allocator in the page's module, so there is no `Vec`.

use core::ops::{Deref, DerefMut};

/// At most `N` of something.
#[derive(Clone, Copy, Debug)]
pub struct Few<T, const N: usize> {
    all: [T; N],
    len: usize,
}

impl<T: Copy + Default, const N: usize> Few<T, N> {
    /// Appends one.
    pub fn push(&mut self, item: T) {
        if self.len >= N {
            self.remove(0);
        }
        if let Some(free) = self.all.get_mut(self.len) {
            *free = item;
            self.len += 1;
        }
    }

    /// Takes one away; those after it move up.
    pub fn remove(&mut self, at: usize) {
        for place in at + 1..self.len {
            if let Some(item) = self.get(place).copied()
                && let Some(before) = self.get_mut(place - 1)
            {
                *before = item;
            }
        }
        self.len -= usize::from(at < self.len);
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

impl<T: Copy + Default, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Self {
            all: [T::default(); N],
            len: 0,
        }
    }
}

impl<T, const N: usize> Deref for Few<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.all.get(..self.len).unwrap_or_default()
    }
}

impl<T, const N: usize> DerefMut for Few<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.all.get_mut(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Few;

    #[test]
    fn forgets_the_oldest_and_keeps_the_order() {
        let mut few = Few::<u8, 3>::default();
        for item in 1..=5 {
            few.push(item);
        }
        assert_eq!(few[..], [3, 4, 5]);
        few.remove(1);
        assert_eq!(few[..], [3, 5]);
        few.remove(2);
        assert_eq!(few[..], [3, 5]);
        few.remove(1);
        few.push(9);
        assert_eq!(few[..], [3, 9]);
        few.clear();
        assert!(few.is_empty());
    }
}
