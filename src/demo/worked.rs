//! Amounts that are worked out of others in the same row: the forms that are known, and exact arithmetic for them.

use seed::masks::Row;

use super::totals::Formula;

/// How one number is worked out of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A piece's price and how many.
    Times,
    /// The same, less a share of one.
    TimesLess,
    /// The same, less a share of a hundred.
    TimesLessPercent,
    /// A share of a hundred of an amount.
    Percent,
    /// An amount and a share of a hundred of it.
    WithPercent,
    /// Two amounts together.
    Plus,
    /// One less another.
    Minus,
    /// Three amounts together.
    Three,
    /// Two together, less a third.
    PlusMinus,
}

impl Form {
    /// As SQL over `parts`, and as people read it.
    pub fn text(self, parts: &[String]) -> String {
        let part = |at: usize| parts.get(at).map_or("0", String::as_str);
        let (a, b, c) = (part(0), part(1), part(2));
        match self {
            Self::Times => format!("{a} * {b}"),
            Self::TimesLess => format!("{a} * {b} * (1 - {c})"),
            Self::TimesLessPercent => format!("{a} * {b} * (1 - {c} / 100)"),
            Self::Percent => format!("{a} * {b} / 100"),
            Self::WithPercent => format!("{a} * (1 + {b} / 100)"),
            Self::Plus => format!("{a} + {b}"),
            Self::Minus => format!("{a} - {b}"),
            Self::Three => format!("{a} + {b} + {c}"),
            Self::PlusMinus => format!("{a} + {b} - {c}"),
        }
    }

    /// The place of the part that is taken away, where there is one.
    pub fn less(self) -> Option<usize> {
        match self {
            Self::Minus => Some(1),
            Self::PlusMinus => Some(2),
            _ => None,
        }
    }

    /// Its value; none where one of the parts is no number or it gets too large.
    pub fn work(self, parts: &[Fixed]) -> Option<Fixed> {
        let part = |at: usize| parts.get(at).copied();
        let (a, b) = (part(0)?, part(1)?);
        let one = Fixed { units: 1, scale: 0 };
        match self {
            Self::Times => a.times(b),
            Self::TimesLess => a.times(b)?.times(one.less(part(2)?)?),
            Self::TimesLessPercent => a.times(b)?.times(one.less(part(2)?.hundredth())?),
            Self::Percent => Some(a.times(b)?.hundredth()),
            Self::WithPercent => a.times(one.plus(b.hundredth())?),
            Self::Plus => a.plus(b),
            Self::Minus => a.less(b),
            Self::Three => a.plus(b)?.plus(part(2)?),
            Self::PlusMinus => a.plus(b)?.less(part(2)?),
        }
    }
}

/// A number with a fixed count of digits behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    units: i128,
    scale: u32,
}

impl Fixed {
    /// Reads `-12.50`.
    pub fn read(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let scale = u32::try_from(part.len())
            .ok()
            .filter(|scale| *scale <= 12)?;
        let units = format!("{whole}{part}").parse().ok()?;
        Some(Self { units, scale })
    }

    /// The number with so many digits behind the point, rounded away from zero at a half as Postgres does.
    pub fn text(self, scale: u32) -> Option<String> {
        let units = if scale >= self.scale {
            self.units
                .checked_mul(10i128.checked_pow(scale - self.scale)?)?
        } else {
            let unit = 10i128.checked_pow(self.scale - scale)?;
            let half = unit / 2 * self.units.signum();
            self.units.checked_add(half)? / unit
        };
        let sign = if units < 0 { "-" } else { "" };
        let unit = 10i128.checked_pow(scale)?;
        let (whole, part) = ((units / unit).abs(), (units % unit).abs());
        Some(if scale == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{part:0width$}", width = scale as usize)
        })
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.units < 0
    }

    /// So many hundredths of it.
    pub fn share(self, percent: i64) -> Option<Self> {
        let percent = Self {
            units: i128::from(percent),
            scale: 2,
        };
        self.times(percent)
    }

    fn hundredth(self) -> Self {
        Self {
            units: self.units,
            scale: self.scale + 2,
        }
    }

    fn times(self, other: Self) -> Option<Self> {
        Some(Self {
            units: self.units.checked_mul(other.units)?,
            scale: self.scale + other.scale,
        })
    }

    fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let at = |one: Self| {
            one.units
                .checked_mul(10i128.checked_pow(scale - one.scale)?)
        };
        Some(Self {
            units: at(self)?.checked_add(at(other)?)?,
            scale,
        })
    }

    fn less(self, other: Self) -> Option<Self> {
        self.plus(Self {
            units: -other.units,
            scale: other.scale,
        })
    }
}

/// Works out one of a row's numbers of others; what is null or no number stays.
///
/// Where more would be taken away than there is, the part that is taken away becomes a share of the rest, if it is `free`.
pub fn work(
    formula: &Formula,
    values: &mut [Option<String>],
    row: &Row<'_>,
    scale: impl Fn(usize) -> u32,
    free: impl Fn(usize) -> bool,
) {
    if values[formula.column].is_none() {
        return;
    }
    let parts: Option<Vec<Fixed>> = formula
        .parts
        .iter()
        .map(|part| Fixed::read(values[*part].as_deref()?))
        .collect();
    let Some(mut parts) = parts else { return };
    let mut result = formula.form.work(&parts);
    if let (Some(found), Some(less)) = (result, formula.form.less())
        && found.is_negative()
        && free(formula.parts[less])
    {
        let column = formula.parts[less];
        let share = row.dice("share").between(0, 99);
        let part = parts[0]
            .share(share)
            .and_then(|part| part.text(scale(column)));
        if let Some(fixed) = part.as_deref().and_then(Fixed::read) {
            parts[less] = fixed;
            values[column] = part;
            result = formula.form.work(&parts);
        }
    }
    if let Some(text) = result.and_then(|result| result.text(scale(formula.column))) {
        values[formula.column] = Some(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(form: Form, parts: &[&str], scale: u32) -> Option<String> {
        let parts: Option<Vec<Fixed>> = parts.iter().map(|part| Fixed::read(part)).collect();
        form.work(&parts?)?.text(scale)
    }

    #[test]
    fn forms_are_worked_exactly_and_rounded_as_postgres_does() {
        for (form, parts, result) in [
            (Form::Times, &["2.35", "3"][..], "7.05"),
            (Form::TimesLess, &["10.01", "3", "0.15"], "25.53"),
            (Form::TimesLessPercent, &["10.01", "3", "15"], "25.53"),
            (Form::Percent, &["0.50", "19"], "0.10"),
            (Form::WithPercent, &["100", "7.5"], "107.50"),
            (Form::Minus, &["1.00", "2.5"], "-1.50"),
            (Form::PlusMinus, &["1", "2", "0.5"], "2.50"),
            (Form::Three, &["1", "2", "3.005"], "6.01"),
            (Form::Plus, &["-0.004", "0"], "0.00"),
        ] {
            assert_eq!(work(form, parts, 2).as_deref(), Some(result), "{form:?}");
        }
        assert_eq!(work(Form::Times, &["x", "1"], 2), None);
        assert_eq!(work(Form::Times, &["2.5", "3"], 0).as_deref(), Some("8"));
    }
}
