//! Company names put together from a made-up or common first word and a line of business.

use super::fold;
use crate::dice::{Dice, shuffled};

/// A company's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// Name without legal form.
    pub name: String,
    /// Line of business.
    pub industry: &'static str,
}

impl Company {
    /// Its domain, under the top level that is kept for examples (RFC 2606).
    pub fn domain(&self) -> String {
        format!("{}.example", fold(&self.name))
    }
}

/// The company numbered `index`. Different numbers have different names, and so different domains, up to 200,000 of them.
pub fn company(seed: u64, index: u64) -> Company {
    let (compounds, families, coined) = (
        HEADS.len() * TAILS.len(),
        FAMILIES.len(),
        COINED.len() * ENDINGS.len(),
    );
    let stems = (compounds + families + coined) as u64;
    let stem = shuffled(seed, index % stems, stems) as usize;
    // Each time round, a stem comes back with the next line of business.
    let step = Dice::new(seed, "line of business", stem as u64).below(BUSINESSES.len())
        + (index / stems) as usize;
    let (noun, industry) = BUSINESSES[step % BUSINESSES.len()];
    let stem = if stem < compounds {
        format!("{}{}", HEADS[stem / TAILS.len()], TAILS[stem % TAILS.len()])
    } else if stem < compounds + families {
        FAMILIES[stem - compounds].to_string()
    } else {
        let stem = stem - compounds - families;
        format!(
            "{}{}",
            COINED[stem / ENDINGS.len()],
            ENDINGS[stem % ENDINGS.len()]
        )
    };
    Company {
        name: format!("{stem} {noun}"),
        industry,
    }
}

/// A legal form of the country with this two-letter code, with the space before it; often none at all.
pub fn legal_form(country: &str, dice: &mut Dice) -> &'static str {
    if dice.chance(30) {
        return "";
    }
    dice.pick(match country {
        "US" => &[" Inc.", " LLC", " Corp."][..],
        "CA" => &[" Inc.", " Ltd."],
        "GB" => &[" Ltd", " Ltd", " LLP"],
        "IE" => &[" Ltd"],
        "DE" => &[" GmbH", " GmbH", " AG", " KG"],
        "FR" => &[" SAS", " SARL"],
        "NL" => &[" B.V."],
        "IT" => &[" S.r.l.", " S.p.A."],
        "AU" => &[" Pty Ltd"],
        _ => &[""],
    })
}

#[rustfmt::skip]
const HEADS: &[&str] = &[
    "Alder", "Amber", "Ash", "Birch", "Black", "Blue", "Bramble", "Bright", "Cedar", "Clear", "Copper", "Dun", "East", "Elm",
    "Ever", "Fair", "Fern", "Glen", "Gold", "Grey", "Hazel", "High", "Holly", "Iron", "Kestrel", "Lark", "Lime", "Long", "Maple",
    "Marl", "Moss", "North", "Oak", "Quill", "Raven", "Rock", "Silver", "Stone", "Thorn", "Vale", "West", "Wild", "Willow",
    "Winter",
];
#[rustfmt::skip]
const TAILS: &[&str] = &[
    "brook", "bury", "croft", "dale", "field", "ford", "gate", "haven", "hurst", "mere", "ridge", "stead", "ton", "water",
    "wick", "worth",
];
#[rustfmt::skip]
const FAMILIES: &[&str] = &[
    "Abara", "Almeida", "Andersson", "Bakker", "Barlow & Reeve", "Bianchi", "Brandt", "Castellan", "Chandra", "Colby & Hart",
    "Dahl", "Delacroix", "Demir", "Drummond", "Eklund", "Falk", "Ferrante", "Gallo", "Garnier", "Haddad", "Halloran", "Hartwell",
    "Hoffmeister", "Ishida", "Jansen", "Kapoor", "Keller & Sons", "Kirchner", "Lachance", "Lindqvist", "Lombardi", "Marchetti",
    "Marlowe", "McAllister", "Montgomery", "Moreau", "Nakagawa", "Nyström", "Oakley & Finch", "Okonkwo", "Pemberton", "Petrakis",
    "Quintero", "Rasmussen", "Rousseau", "Sandoval", "Santini", "Schreiber", "Sinclair", "Sørensen", "Tanner & Lowe", "Thibault",
    "Vance", "van Dijk", "Vasquez", "Wexler", "Whitcombe", "Winslow", "Yamada", "Zielinski",
];
const COINED: &[&str] = &[
    "Acu", "Alti", "Axi", "Bel", "Cali", "Cor", "Dex", "Elu", "Fero", "Inno", "Kine", "Lumi",
    "Meri", "Nexa", "Nova", "Omni", "Orbi", "Pano", "Quanti", "Syn", "Tele", "Tri", "Velo", "Veri",
    "Zeni",
];
const ENDINGS: &[&str] = &[
    "dyne", "flux", "gen", "line", "lux", "metra", "nox", "port", "quo", "ra", "scope", "sys",
    "tera", "via",
];

/// Last words of names, each with the industry that it stands for.
#[rustfmt::skip]
const BUSINESSES: &[(&str, &str)] = &[
    ("Logistics", "Transport & logistics"), ("Dental", "Health care"), ("Foods", "Food & drink"),
    ("Interiors", "Construction & property"), ("Software", "Technology"), ("Capital", "Financial services"),
    ("Outfitters", "Retail"), ("Legal", "Professional services"), ("Robotics", "Manufacturing"),
    ("Hotels", "Hospitality & leisure"), ("Energy", "Energy & environment"), ("Learning", "Education"),
    ("Media", "Media & events"), ("Freight", "Transport & logistics"), ("Clinics", "Health care"), ("Bakery", "Food & drink"),
    ("Construction", "Construction & property"), ("Analytics", "Technology"), ("Insurance", "Financial services"),
    ("Home & Garden", "Retail"), ("Advisory", "Professional services"), ("Tooling", "Manufacturing"),
    ("Travel", "Hospitality & leisure"), ("Solar", "Energy & environment"), ("Academy", "Education"),
    ("Publishing", "Media & events"), ("Couriers", "Transport & logistics"), ("Veterinary", "Health care"),
    ("Coffee Roasters", "Food & drink"), ("Properties", "Construction & property"), ("Networks", "Technology"),
    ("Wealth", "Financial services"), ("Sports", "Retail"), ("Architects", "Professional services"),
    ("Packaging", "Manufacturing"), ("Brewing", "Food & drink"), ("Recycling", "Energy & environment"),
    ("Training", "Education"), ("Studios", "Media & events"), ("Marine", "Transport & logistics"), ("Pharma", "Health care"),
    ("Wines", "Food & drink"), ("Timber", "Construction & property"), ("Cloud", "Technology"),
    ("Accounting", "Professional services"), ("Furniture", "Retail"), ("Engineering", "Manufacturing"),
    ("Fitness", "Hospitality & leisure"), ("Water", "Energy & environment"), ("Events", "Media & events"),
    ("Textiles", "Manufacturing"), ("Optics", "Health care"), ("Farms", "Food & drink"), ("Roofing", "Construction & property"),
    ("Labs", "Technology"), ("Partners", "Professional services"), ("Cycles", "Retail"), ("Components", "Manufacturing"),
    ("Resorts", "Hospitality & leisure"), ("Games", "Technology"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_and_domains_do_not_repeat() {
        let companies: Vec<Company> = (0..50_000).map(|index| company(3, index)).collect();
        assert_eq!(
            companies
                .iter()
                .map(Company::domain)
                .collect::<HashSet<_>>()
                .len(),
            50_000
        );
    }
}
