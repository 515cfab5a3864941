//! Lines of invoices and estimates, and their sums: rounded as the database rounds them.

use super::calendar::Moment;
use super::lookups::Tax;
use super::services::{Price, Service};
use crate::dice::Dice;
use crate::lines::Line;

/// A line of an invoice or estimate.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) text: String,
    /// In hundredths.
    pub(super) quantity: i64,
    pub(super) unit: &'static str,
    /// Net price of one, in hundredths.
    pub(super) rate: i64,
    /// In hundredths of a per cent.
    pub(super) discount: i64,
    pub(super) tax: Option<Tax>,
}

/// Sums of a document, in hundredths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) subtotal: i64,
    pub(super) tax: i64,
}

impl Sums {
    /// Subtotal plus tax.
    pub(super) fn total(self) -> i64 {
        self.subtotal + self.tax
    }
}

impl Item {
    /// Net amount after discount.
    pub(super) fn net(&self) -> i64 {
        rounded(
            self.quantity * self.rate * (10_000 - self.discount),
            1_000_000,
        )
    }

    /// Tax on it.
    pub(super) fn tax_amount(&self) -> i64 {
        self.tax
            .map_or(0, |tax| rounded(self.net() * tax.rate, 10_000))
    }

    /// Writes it as a row of `invoice_items` or `estimate_items`.
    pub(super) fn write(
        &self,
        id: u64,
        document: u64,
        position: usize,
        created: Moment,
        out: &mut Vec<u8>,
    ) {
        Line::new(out)
            .id(Some(id))
            .id(Some(document))
            .int(position as i64)
            .text(&self.text)
            .hundredths(self.quantity)
            .text(self.unit)
            .hundredths(self.rate)
            .hundredths(self.discount)
            .id(self.tax.map(|tax| tax.id))
            .hundredths(self.tax.map_or(0, |tax| tax.rate))
            .at(created)
            .at(created)
            .end();
    }
}

/// Sums of these lines.
pub(super) fn sums(items: &[Item]) -> Sums {
    items.iter().fold(Sums::default(), |sums, item| Sums {
        subtotal: sums.subtotal + item.net(),
        tax: sums.tax + item.tax_amount(),
    })
}

/// What a service is offered at for a project of this size: every line of its price list, or all but one.
pub(super) fn quote(service: &Service, size: f64, tax: Option<Tax>, dice: &mut Dice) -> Vec<Item> {
    let left_out = if service.prices.len() > 4 {
        dice.below(service.prices.len() * 2)
    } else {
        usize::MAX
    };
    service
        .prices
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != left_out)
        .map(|(_, price)| offered(price, size, tax, dice))
        .collect()
}

fn offered(price: &Price, size: f64, tax: Option<Tax>, dice: &mut Dice) -> Item {
    let item = Item {
        text: price.text.to_string(),
        quantity: 100,
        unit: "pc",
        rate: price.rate * 100,
        discount: 0,
        tax,
    };
    if price.hours == 0 {
        return item;
    }
    let hours = price.hours as f64 * size * dice.spread(0.2);
    // Estimates are made in half days.
    let hours = ((hours / 4.0 + 0.5) as i64).max(1) * 4;
    Item {
        quantity: hours * 100,
        unit: "h",
        ..item
    }
}

/// Quotient rounded half up, as `round(numeric)` does for what is not negative.
fn rounded(value: i64, by: i64) -> i64 {
    (value + by / 2) / by
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(quantity: i64, rate: i64, discount: i64, tax: i64) -> Item {
        Item {
            text: String::new(),
            quantity,
            unit: "h",
            rate,
            discount,
            tax: Some(Tax { id: 1, rate: tax }),
        }
    }

    #[test]
    fn lines_round_half_up() {
        assert_eq!(item(150, 333, 0, 0).net(), 500); // 1.50 x 3.33 = 4.995
        assert_eq!(item(100, 999, 1000, 0).net(), 899); // 8.991
        assert_eq!(item(100, 1010, 0, 825).tax_amount(), 83); // 0.83325
        assert_eq!(item(300, 200, 0, 825).tax_amount(), 50); // 0.495
    }

    #[test]
    fn sums_add_up() {
        let sums = sums(&[item(100, 1000, 0, 2000), item(200, 550, 0, 1000)]);
        assert_eq!(
            sums,
            Sums {
                subtotal: 2100,
                tax: 310
            }
        );
        assert_eq!(sums.total(), 2410);
    }
}
