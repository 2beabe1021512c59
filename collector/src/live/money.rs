//! Sums of money, exact: millionths in 128 bits, one sum a currency.

use super::names::Names;
use upriver_wire::live::Money;

/// Sums by number of the currency.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums(Vec<Sum>);

/// One currency's sum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    pub(crate) currency: u32,
    /// Values added.
    pub(crate) values: u64,
    pub(crate) micros: i128,
}

impl Sums {
    /// Adds a value.
    pub(crate) fn add(&mut self, currency: u32, micros: i64) {
        self.merge(Sum {
            currency,
            values: 1,
            micros: i128::from(micros),
        });
    }

    /// Takes out a value that was added.
    pub(crate) fn remove(&mut self, currency: u32, micros: i64) {
        if let Some(own) = self.0.iter_mut().find(|own| own.currency == currency) {
            own.values -= 1;
            own.micros -= i128::from(micros);
        }
        self.0.retain(|sum| sum.values > 0);
    }

    /// Adds a sum. 2⁶⁴ values of 64 bits fit into 128.
    pub(crate) fn merge(&mut self, sum: Sum) {
        match self.0.iter_mut().find(|own| own.currency == sum.currency) {
            Some(own) => {
                own.values += sum.values;
                own.micros += sum.micros;
            }
            None => self.0.push(sum),
        }
    }

    /// The sums.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Sum> {
        self.0.iter()
    }
}

/// All sums together, by currency. The second value counts sums that do not fit into a message;
/// those are left out, and the caller says so.
pub(crate) fn total<'a>(
    parts: impl Iterator<Item = &'a Sums>,
    currencies: &Names<Box<str>>,
) -> (Vec<Money>, usize) {
    let mut all = Sums::default();
    parts.flat_map(Sums::iter).for_each(|sum| all.merge(*sum));
    let mut rows = Vec::with_capacity(all.0.len());
    let mut too_large = 0;
    for sum in &all.0 {
        match i64::try_from(sum.micros) {
            Ok(micros) => {
                rows.push(Money {
                    currency: currencies.name(sum.currency).to_string(),
                    micros,
                });
            }
            Err(_) => too_large += 1,
        }
    }
    rows.sort_by(|a, b| a.currency.cmp(&b.currency));
    (rows, too_large)
}
