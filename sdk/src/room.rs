//! Room of a fixed size.
//!
//! Owns where it lies: in a page it is part of the module's memory, zeros that cost nothing until they
//! are written to; elsewhere it is allocated when a recorder begins. Refuses to know what is in it.

#[cfg(target_arch = "wasm32")]
mod place {
    use core::ops::{Deref, DerefMut};

    /// So many of something.
    #[derive(Debug)]
    pub struct Room<T, const N: usize>([T; N]);

    impl<T: Copy, const N: usize> Room<T, N> {
        pub(crate) const fn new(empty: T) -> Self {
            Self([empty; N])
        }

        pub(crate) fn open(&mut self, _: T) {}
    }

    impl<T, const N: usize> Deref for Room<T, N> {
        type Target = [T];

        fn deref(&self) -> &[T] {
            &self.0
        }
    }

    impl<T, const N: usize> DerefMut for Room<T, N> {
        fn deref_mut(&mut self) -> &mut [T] {
            &mut self.0
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod place {
    use core::ops::{Deref, DerefMut};

    /// So many of something.
    #[derive(Debug)]
    pub struct Room<T, const N: usize>(Vec<T>);

    impl<T: Copy, const N: usize> Room<T, N> {
        pub(crate) const fn new(_: T) -> Self {
            Self(Vec::new())
        }

        pub(crate) fn open(&mut self, empty: T) {
            self.0.resize(N, empty);
        }
    }

    impl<T, const N: usize> Deref for Room<T, N> {
        type Target = [T];

        fn deref(&self) -> &[T] {
            &self.0
        }
    }

    impl<T, const N: usize> DerefMut for Room<T, N> {
        fn deref_mut(&mut self) -> &mut [T] {
            &mut self.0
        }
    }
}

pub use place::Room;
