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
    /// Two-letter code of the country that the name is from; `EN` where that may be any whose people speak English, none
    /// where it may be any at all.
    pub home: Option<&'static str>,
}

impl Company {
    /// Its domain, under the top level that is kept for examples (RFC 2606).
    pub fn domain(&self) -> String {
        format!("{}.example", fold(&self.name))
    }
}

/// The company numbered `index`. Different numbers have different names, and so different domains, up to 80,000 of them.
pub fn company(seed: u64, index: u64) -> Company {
    let stems: u64 = STEMS.iter().map(Stems::len).sum();
    let mut stem = shuffled(seed, index % stems, stems);
    // Each time round, a stem comes back with the next line of business.
    let step = Dice::new(seed, "line of business", stem).below(BUSINESSES.len());
    let (noun, industry) = BUSINESSES[(step + (index / stems) as usize) % BUSINESSES.len()];
    for stems in STEMS {
        if stem < stems.len() {
            let tails = stems.tails.len() as u64;
            let (head, tail) = (
                stems.heads[(stem / tails) as usize],
                stems.tails[(stem % tails) as usize],
            );
            return Company {
                name: format!("{head}{tail} {noun}"),
                industry,
                home: stems.home,
            };
        }
        stem -= stems.len();
    }
    // Not reached: the numbers of stems add up.
    Company {
        name: noun.to_string(),
        industry,
        home: None,
    }
}

/// First words of names, put together from two parts.
struct Stems {
    /// Two-letter code of the country whose language they are in; none where they could be from anywhere, and `EN` for the
    /// countries where English is spoken.
    home: Option<&'static str>,
    heads: &'static [&'static str],
    tails: &'static [&'static str],
}

impl Stems {
    const fn len(&self) -> u64 {
        (self.heads.len() * self.tails.len()) as u64
    }
}

#[rustfmt::skip]
const STEMS: &[Stems] = &[
    Stems { home: Some("EN"), heads: HEADS, tails: TAILS },
    Stems { home: Some("EN"), heads: FAMILIES, tails: &[""] },
    Stems { home: None, heads: COINED, tails: ENDINGS },
    Stems { home: Some("DE"), heads: &["Linden", "Eichen", "Rosen", "Buchen", "Hirsch", "Falken", "Gold", "Silber", "Stein", "Hohen", "Alten", "Sommer", "Winter", "Mühl", "Erlen"],
        tails: &["bach", "feld", "hof", "brunn", "thal", "hausen", "stein", "werk", "berg"] },
    Stems { home: Some("DE"), heads: &["Kirchner", "Brandt", "Hoffmeister", "Keller & Sohn", "Schreiber", "Falk", "Dahlmann", "Vogelsang", "Rademacher", "Steiner"], tails: &[""] },
    Stems { home: Some("FR"), heads: &["Beau", "Mont", "Clair", "Roche", "Belle", "Haute", "Font", "Cham", "Val", "Chante"],
        tails: &["mont", "rive", "fort", "lieu", "bois", "clair", "pré", "vigne"] },
    Stems { home: Some("FR"), heads: &["Delacroix", "Garnier", "Rousseau", "Thibault", "Moreau & Fils", "Lachance", "Beaumarchais", "Marchand"], tails: &[""] },
    Stems { home: Some("NL"), heads: &["Zonne", "Water", "Duin", "Molen", "Wilgen", "Zilver", "Noorder", "Ooster"], tails: &["veld", "dijk", "meer", "burg", "horst", "gracht"] },
    Stems { home: Some("NL"), heads: &["Bakker", "van Dijk", "Jansen & Zonen", "Hoogland", "Verhoeven"], tails: &[""] },
    Stems { home: Some("IT"), heads: &["Monte", "Valle", "Castel", "Fonte", "Porto", "Campo", "Torre"], tails: &["chiaro", "rosso", "verde", "nuovo", "fiorito", "sereno"] },
    Stems { home: Some("IT"), heads: &["Bianchi", "Lombardi", "Marchetti", "Santini", "Gallo & Figli", "Ferrante"], tails: &[""] },
];

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
    "Abara", "Almeida", "Andersson", "Barlow & Reeve", "Castellan", "Chandra", "Colby & Hart", "Demir", "Drummond", "Eklund", "Haddad", "Halloran",
    "Hartwell", "Ishida", "Kapoor", "Lindqvist", "Marlowe", "McAllister", "Montgomery", "Nakagawa", "Oakley & Finch", "Okonkwo", "Pemberton",
    "Petrakis", "Quintero", "Rasmussen", "Sandoval", "Sinclair", "Tanner & Lowe", "Vance", "Vasquez", "Wexler", "Whitcombe", "Winslow", "Zielinski",
];
const COINED: &[&str] = &[
    "Acu", "Alti", "Bel", "Cali", "Cor", "Inno", "Kine", "Lumi", "Meri", "Nexa", "Nova", "Omni",
    "Orbi", "Pano", "Quanti", "Syn", "Tri", "Velo", "Veri", "Zeni",
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
