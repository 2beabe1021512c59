//! Orders to erase, as files: each names its visitor until it is carried out, and is then removed.
//!
//! Files of their own, because what leaves a database file leaves its bytes behind. Knows nothing of how
//! an order is carried out.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use upriver_wire::VisitorId;
use uuid::Uuid;

const SUFFIX: &str = "order";

/// An order to erase a visitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Its number.
    pub(crate) id: Uuid,
    /// The site.
    pub(crate) site: String,
    /// The visitor.
    pub(crate) visitor: VisitorId,
    /// When it was given: everything up to then goes. Unix ms.
    pub(crate) ordered_ms: u64,
}

/// The folder of the orders.
#[derive(Debug)]
pub(crate) struct Orders {
    folder: PathBuf,
}

impl Orders {
    /// Opens the folder, making it if need be, and reads what is in it, oldest first.
    ///
    /// # Errors
    /// It cannot be read, or a file in it is no order.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, Vec<Order>)> {
        std::fs::create_dir_all(folder)?;
        let mut orders = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|end| end != SUFFIX) {
                // Half written when the process was killed: nobody was told that it was taken.
                std::fs::remove_file(&path)?;
                continue;
            }
            let order = serde_json::from_slice(&std::fs::read(&path)?).map_err(|error| {
                let text = format!("{} is no order to erase: {error}", path.display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?;
            orders.push(order);
        }
        orders.sort_by_key(|order: &Order| (order.ordered_ms, order.id));
        let folder = folder.to_owned();
        Ok((Self { folder }, orders))
    }

    /// Keeps an order. Durable when it returns.
    ///
    /// # Errors
    /// The disk refused; there is no such order then.
    pub(crate) fn keep(&self, order: &Order) -> io::Result<()> {
        let begun = self.folder.join(format!("{}.new", order.id));
        let mut file = File::create(&begun)?;
        file.write_all(&serde_json::to_vec(order)?)?;
        file.sync_all()?;
        std::fs::rename(&begun, self.path(order))?;
        File::open(&self.folder)?.sync_all()
    }

    /// Removes an order that was carried out.
    ///
    /// # Errors
    /// The disk refused.
    pub(crate) fn remove(&self, order: &Order) -> io::Result<()> {
        match std::fs::remove_file(self.path(order)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::open(&self.folder)?.sync_all(),
        }
    }

    fn path(&self, order: &Order) -> PathBuf {
        self.folder.join(format!("{}.{SUFFIX}", order.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_outlive_the_process_until_they_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("erasures");
        let order = |number, ordered_ms| Order {
            id: Uuid::from_u128(number),
            site: "shop".into(),
            visitor: VisitorId(7),
            ordered_ms,
        };
        let (orders, none) = Orders::open(&folder).unwrap();
        assert_eq!(none, []);
        orders.keep(&order(1, 20)).unwrap();
        orders.keep(&order(2, 10)).unwrap();
        std::fs::write(folder.join("half.new"), "{").unwrap();
        let (orders, found) = Orders::open(&folder).unwrap();
        assert_eq!(found, [order(2, 10), order(1, 20)]);
        assert!(!folder.join("half.new").exists());
        orders.remove(&order(2, 10)).unwrap();
        orders.remove(&order(2, 10)).unwrap();
        assert_eq!(Orders::open(&folder).unwrap().1, [order(1, 20)]);
    }
}
