//! Tries on all rows of the template which numbers are worked out of others.

use tokio_postgres::Client;

use crate::data::catalog::Type;

use super::{
    facts::Facts,
    make::Make,
    names::{self, Figure},
    rows::from,
    totals::{Formula, Of, Sum, added, groups, number, pairs, scale_of},
    verdict::{Judged, Verdict},
    worked::Form,
};

/// How many rows have to agree, where no check says so.
const ENOUGH: i64 = 3;
/// Most forms that are tried at once.
const MOST: usize = 400;

/// The template under trial.
pub struct Look<'a> {
    /// A connection in the transaction that the demo is made in.
    pub client: &'a Client,
    /// The template's structure.
    pub facts: &'a Facts,
    /// What becomes of each column.
    pub judged: &'a [Vec<Judged>],
    /// The template's schema.
    pub schema: &'a str,
}

/// A form that may hold.
struct Guess {
    column: usize,
    form: Form,
    parts: Vec<usize>,
}

impl Look<'_> {
    /// What the rows of `child` come to for the rows that its key refers to.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn sums(&self, child: usize, key: usize) -> Result<Vec<Sum>, tokio_postgres::Error> {
        let (table, of) = (&self.facts.catalog.tables[child], self.expressions(child));
        let parent = table.foreign_keys[key].table;
        let targets: Vec<usize> = self
            .numbers(parent)
            .filter(|column| self.is_made(parent, *column))
            .filter(|column| self.is_total(parent, *column))
            .collect();
        if targets.is_empty() || targets.len() * of.len() > MOST {
            return Ok(Vec::new());
        }
        let own = &self.facts.catalog.tables[parent];
        let (keys, on) = pairs(self.facts, child, key, "s", "p");
        let sums: Vec<String> = of
            .iter()
            .enumerate()
            .map(|(at, of)| format!("{} as e{at}", added(table, of)))
            .collect();
        let mut tries: Vec<String> = Vec::new();
        for column in &targets {
            let value = number("p", own, *column);
            let unit = unit_of(&own.columns[*column].ty);
            for at in 0..of.len() {
                tries.push(format!(
                    "count(*) filter (where s.n is not null and abs({value} - s.e{at}) > greatest({unit} + 0.005 * s.n, 0.00001 * abs({value})))"
                ));
            }
            tries.push(format!(
                "count(distinct {value}) filter (where s.n is not null)"
            ));
            tries.push(format!("count({value}) filter (where s.n is not null)"));
            tries.push(format!(
                "count(*) filter (where s.n is null and {value} <> 0)"
            ));
        }
        let text = format!(
            "select array[{}] from {} p left join (select {keys}, count(*) as n, {} from {} c group by {}) s on {on}",
            tries.join(", "),
            from(self.facts, parent, self.schema),
            sums.join(", "),
            from(self.facts, child, self.schema),
            groups(self.facts, child, key),
        );
        let counts: Vec<i64> = self.client.query_one(&text, &[]).await?.try_get(0)?;
        let mut found = Vec::new();
        for (column, counts) in targets.iter().zip(counts.chunks(of.len() + 3)) {
            let (wrong, [different, all, bare]) = counts.split_at(of.len()) else {
                continue;
            };
            if *different < 2 || *all < ENOUGH {
                continue;
            }
            if let Some(at) = wrong.iter().position(|wrong| *wrong == 0) {
                found.push(Sum {
                    table: parent,
                    column: *column,
                    child,
                    key,
                    of: of[at].clone(),
                    none: *bare == 0,
                });
            }
        }
        Ok(found)
    }

    /// What may be added up of a table's rows, the likeliest first.
    fn expressions(&self, at: usize) -> Vec<Of> {
        let (amounts, counts, shares) = self.figures(at);
        // An amount of each row first: where it is rounded, what it is worked out of comes to something else.
        // The price of a piece comes last where there are pieces: it is the amount only as long as there is one of each.
        let name = |column: &usize| &self.facts.catalog.tables[at].columns[*column].name;
        let (prices, whole): (Vec<usize>, Vec<usize>) =
            amounts.iter().copied().partition(|column| {
                !counts.is_empty() && names::figure(name(column)) == Some(Figure::Price)
            });
        let mut of: Vec<Of> = whole.into_iter().map(Of::Column).collect();
        for amount in &amounts {
            for count in &counts {
                of.push(Of::Form(Form::Times, vec![*amount, *count]));
                for share in &shares {
                    let parts = vec![*amount, *count, *share];
                    of.push(Of::Form(Form::TimesLess, parts.clone()));
                    of.push(Of::Form(Form::TimesLessPercent, parts));
                }
            }
        }
        of.extend(prices.into_iter().map(Of::Column));
        of.extend(counts.iter().map(|column| Of::Column(*column)));
        of.push(Of::Rows);
        of
    }

    /// What is worked out within rows; columns in `summed` are not.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn formulas(
        &self,
        at: usize,
        summed: &[usize],
    ) -> Result<Vec<Formula>, tokio_postgres::Error> {
        let table = &self.facts.catalog.tables[at];
        let guesses = self.guesses(at, summed);
        if guesses.is_empty() || guesses.len() > MOST {
            return Ok(Vec::new());
        }
        let mut tries = Vec::new();
        for guess in &guesses {
            let value = number("p", table, guess.column);
            let parts: Vec<String> = guess
                .parts
                .iter()
                .map(|part| number("p", table, *part))
                .collect();
            let unit = unit_of(&table.columns[guess.column].ty);
            tries.push(format!(
                "count(*) filter (where abs({value} - ({})) > greatest({unit}, 0.00001 * abs({value})))",
                guess.form.text(&parts)
            ));
            let there: Vec<String> = parts.iter().map(|part| format!("{part} <> 0")).collect();
            tries.push(format!(
                "count(*) filter (where {value} is not null and {})",
                there.join(" and ")
            ));
        }
        let text = format!(
            "select array[{}] from {} p",
            tries.join(", "),
            from(self.facts, at, self.schema)
        );
        let counts: Vec<i64> = self.client.query_one(&text, &[]).await?.try_get(0)?;
        let mut formulas: Vec<Formula> = Vec::new();
        for (guess, counts) in guesses.into_iter().zip(counts.chunks(2)) {
            let enough = if self.is_checked(at, &guess) {
                1
            } else {
                ENOUGH
            };
            let taken = formulas
                .iter()
                .any(|formula| formula.column == guess.column);
            let circle = guess
                .parts
                .iter()
                .any(|part| leads(&formulas, *part, guess.column));
            if counts[0] == 0 && counts[1] >= enough && !taken && !circle {
                formulas.push(Formula {
                    column: guess.column,
                    form: guess.form,
                    parts: guess.parts,
                });
            }
        }
        Ok(in_order(formulas))
    }

    /// Forms that may hold in a table, the plainest first; what is called a total is the result rather than a part.
    fn guesses(&self, at: usize, summed: &[usize]) -> Vec<Guess> {
        let (amounts, counts, shares) = self.figures(at);
        let made = |column: &usize| self.is_known(at, *column);
        let (amounts, counts, shares): (Vec<usize>, Vec<usize>, Vec<usize>) = (
            amounts.into_iter().filter(made).collect(),
            counts.into_iter().filter(made).collect(),
            shares.into_iter().filter(made).collect(),
        );
        let mut targets: Vec<usize> = amounts
            .iter()
            .copied()
            .filter(|column| !summed.contains(column) && self.is_made(at, *column))
            .collect();
        targets.sort_by_key(|column| usize::MAX - self.rank(at, *column));
        let mut guesses = Vec::new();
        for column in targets {
            let mut guess = |form: Form, parts: &[usize]| {
                if !parts.contains(&column) {
                    let parts = parts.to_vec();
                    guesses.push(Guess {
                        column,
                        form,
                        parts,
                    });
                }
            };
            // A discount may be an amount too.
            let all: Vec<usize> = amounts.iter().chain(&shares).copied().collect();
            for (place, a) in all.iter().enumerate() {
                for b in all.iter().skip(place + 1) {
                    guess(Form::Plus, &[*a, *b]);
                    guess(Form::Minus, &[*a, *b]);
                    guess(Form::Minus, &[*b, *a]);
                }
            }
            for a in &amounts {
                for b in &counts {
                    guess(Form::Times, &[*a, *b]);
                    for c in &shares {
                        guess(Form::TimesLess, &[*a, *b, *c]);
                        guess(Form::TimesLessPercent, &[*a, *b, *c]);
                    }
                }
                for b in &shares {
                    guess(Form::Percent, &[*a, *b]);
                    guess(Form::WithPercent, &[*a, *b]);
                }
            }
            for (place, a) in all.iter().enumerate() {
                for (after, b) in all.iter().enumerate().skip(place + 1) {
                    for c in all.iter().skip(after + 1) {
                        guess(Form::Three, &[*a, *b, *c]);
                    }
                    for c in &all {
                        if c != a && c != b {
                            guess(Form::PlusMinus, &[*a, *b, *c]);
                        }
                    }
                }
            }
        }
        guesses
    }

    /// Columns of amounts, of counts, and of shares.
    fn figures(&self, at: usize) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
        let (mut amounts, mut counts, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for column in self.numbers(at) {
            match names::figure(&self.facts.catalog.tables[at].columns[column].name) {
                Some(Figure::Money | Figure::Price | Figure::Budget) => amounts.push(column),
                Some(Figure::Quantity | Figure::Span) => counts.push(column),
                Some(Figure::Percent) => shares.push(column),
                _ => {}
            }
        }
        (amounts, counts, shares)
    }

    /// Columns of numbers that say nothing of how rows hang together.
    fn numbers(&self, at: usize) -> impl Iterator<Item = usize> {
        let table = &self.facts.catalog.tables[at];
        (0..table.columns.len()).filter(move |column| {
            let base = table.columns[*column].ty.base();
            let number = matches!(
                base.name.as_str(),
                "int2" | "int4" | "int8" | "numeric" | "float4" | "float8"
            );
            let there = self.judged[at].get(*column).is_some_and(|judged| {
                matches!(
                    judged.verdict,
                    Verdict::Keep | Verdict::Make(_) | Verdict::Echo { .. } | Verdict::Computed
                )
            });
            number && !base.array && there && !table.key.contains(column)
        })
    }

    /// Whether a column's numbers are made up freely, and not as a rule says.
    fn is_made(&self, at: usize, column: usize) -> bool {
        self.judged[at].get(column).is_some_and(|judged| {
            matches!(
                judged.verdict,
                Verdict::Make(Make::Decimal(..) | Make::Int(..))
            ) && judged.signal != "rule"
        })
    }

    /// Whether a column's number is known before the row is written.
    fn is_known(&self, at: usize, column: usize) -> bool {
        self.judged[at]
            .get(column)
            .is_some_and(|judged| judged.verdict != Verdict::Computed)
    }

    /// Whether a column may be what others come to.
    fn is_total(&self, at: usize, column: usize) -> bool {
        let name = &self.facts.catalog.tables[at].columns[column].name;
        matches!(
            names::figure(name),
            Some(Figure::Money | Figure::Budget | Figure::Quantity)
        )
    }

    /// How much a column is a result.
    fn rank(&self, at: usize, column: usize) -> usize {
        let words = names::words(&self.facts.catalog.tables[at].columns[column].name);
        let place = RESULTS
            .iter()
            .position(|result| words.iter().any(|word| word == result));
        place.map_or(0, |place| RESULTS.len() - place)
    }

    /// Whether a check speaks of all columns of a guess.
    fn is_checked(&self, at: usize, guess: &Guess) -> bool {
        self.facts.catalog.tables[at].checks.iter().any(|check| {
            check.columns.contains(&guess.column)
                && guess.parts.iter().all(|part| check.columns.contains(part))
        })
    }
}

/// Words of results, the last to be worked out first.
const RESULTS: &[&str] = &[
    "balance",
    "remaining",
    "due",
    "outstanding",
    "saldo",
    "total",
    "gross",
    "brutto",
    "sum",
    "summe",
    "amount",
    "subtotal",
    "net",
    "netto",
    "tax",
    "vat",
];

/// Whether a column is worked out of another one, by way of others or not.
fn leads(formulas: &[Formula], from: usize, to: usize) -> bool {
    from == to
        || formulas
            .iter()
            .filter(|formula| formula.column == from)
            .flat_map(|formula| &formula.parts)
            .any(|part| leads(formulas, *part, to))
}

/// Formulas whose parts are results of others come after those.
fn in_order(mut formulas: Vec<Formula>) -> Vec<Formula> {
    let mut out: Vec<Formula> = Vec::with_capacity(formulas.len());
    while !formulas.is_empty() {
        let free = formulas.iter().position(|formula| {
            !formulas
                .iter()
                .any(|other| formula.parts.contains(&other.column))
        });
        out.push(formulas.remove(free.unwrap_or(0)));
    }
    out
}

/// How far a number may be off by rounding.
fn unit_of(ty: &Type) -> String {
    let scale = scale_of(ty).min(9) as usize;
    format!(
        "{:.places$}",
        0.51 * 0.1f64.powi(scale as i32),
        places = scale + 2
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_comes_after_its_parts_and_never_in_a_circle() {
        let formula = |column, parts: &[usize]| Formula {
            column,
            form: Form::Plus,
            parts: parts.to_vec(),
        };
        let found = vec![formula(3, &[2, 1]), formula(2, &[0, 1])];
        assert!(leads(&found, 3, 0) && !leads(&found, 0, 3));
        let order: Vec<usize> = in_order(found)
            .iter()
            .map(|formula| formula.column)
            .collect();
        assert_eq!(order, [2, 3]);
    }
}
