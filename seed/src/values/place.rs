//! Postal addresses: real cities, made-up streets and codes.

use super::company::Company;
use crate::dice::Dice;

/// Where a company sits.
#[derive(Clone, Debug)]
pub struct Place {
    /// Street and number.
    pub street: String,
    /// City.
    pub city: &'static str,
    /// State, province or region.
    pub state: &'static str,
    /// Postal code.
    pub zip: String,
}

/// Countries that have cities here, with how many of a hundred companies sit in each.
pub const MARKETS: &[(&str, u32)] = &[
    ("US", 36),
    ("GB", 18),
    ("DE", 12),
    ("CA", 8),
    ("FR", 8),
    ("NL", 5),
    ("AU", 5),
    ("IE", 4),
    ("IT", 4),
];

/// The country that a company sits in: its name's own, or one of [`MARKETS`] that the name fits.
pub fn country(company: &Company, dice: &mut Dice) -> &'static str {
    let fits = |market: &&(&str, u32)| match company.home {
        None => true,
        Some("EN") => matches!(market.0, "US" | "GB" | "CA" | "AU" | "IE"),
        Some(home) => market.0 == home,
    };
    let weights: Vec<u32> = MARKETS
        .iter()
        .map(|market| if fits(&market) { market.1 } else { 0 })
        .collect();
    MARKETS[dice.weighted(&weights)].0
}

/// An address in one of [`MARKETS`].
pub fn place(country: &str, dice: &mut Dice) -> Place {
    let cities = cities(country);
    let (city, state, zip) = cities[dice.below(cities.len())];
    let number = dice.between(1, 240);
    let street = match country {
        "US" | "CA" => format!(
            "{} {} {}",
            number * 9 + 3,
            dice.pick(STREETS),
            dice.pick(&[
                "Street",
                "Street",
                "Avenue",
                "Avenue",
                "Road",
                "Boulevard",
                "Drive",
                "Way"
            ])
        ),
        "DE" => format!(
            "{}{} {}",
            dice.pick(GERMAN),
            dice.pick(&["straße", "straße", "weg", "allee", "platz"]),
            number % 120 + 1
        ),
        "FR" => format!(
            "{} {} {}",
            number,
            dice.pick(&["rue", "rue", "avenue", "boulevard"]),
            dice.pick(FRENCH)
        ),
        "NL" => format!("{} {}", dice.pick(DUTCH), number),
        "IT" => format!("Via {}, {}", dice.pick(ITALIAN), number),
        _ => format!(
            "{} {} {}",
            number,
            dice.pick(STREETS),
            dice.pick(&["Street", "Road", "Lane", "Street", "Place"])
        ),
    };
    Place {
        street,
        city,
        state,
        zip: fill(zip, dice),
    }
}

/// `#` becomes a digit and `@` a letter.
fn fill(pattern: &str, dice: &mut Dice) -> String {
    pattern
        .chars()
        .map(|c| match c {
            '#' => char::from(b'0' + dice.below(10) as u8),
            '@' => char::from(b"ABDEFGHJLNPQRSTUWXYZ"[dice.below(20)]),
            c => c,
        })
        .collect()
}

type City = (&'static str, &'static str, &'static str);

fn cities(country: &str) -> &'static [City] {
    match country {
        "GB" => &[
            ("London", "England", "EC#@ #@@"),
            ("London", "England", "SE# #@@"),
            ("Manchester", "England", "M# #@@"),
            ("Leeds", "England", "LS# #@@"),
            ("Bristol", "England", "BS# #@@"),
            ("Birmingham", "England", "B## #@@"),
            ("Edinburgh", "Scotland", "EH# #@@"),
            ("Glasgow", "Scotland", "G# #@@"),
            ("Cardiff", "Wales", "CF## #@@"),
            ("Belfast", "Northern Ireland", "BT# #@@"),
            ("Nottingham", "England", "NG# #@@"),
            ("Reading", "England", "RG# #@@"),
        ],
        "DE" => &[
            ("Berlin", "Berlin", "10###"),
            ("Hamburg", "Hamburg", "20###"),
            ("München", "Bayern", "80###"),
            ("Köln", "Nordrhein-Westfalen", "50###"),
            ("Frankfurt am Main", "Hessen", "60###"),
            ("Stuttgart", "Baden-Württemberg", "70###"),
            ("Leipzig", "Sachsen", "04###"),
            ("Nürnberg", "Bayern", "90###"),
            ("Hannover", "Niedersachsen", "30###"),
        ],
        "CA" => &[
            ("Toronto", "ON", "M#@ #@#"),
            ("Ottawa", "ON", "K#@ #@#"),
            ("Montreal", "QC", "H#@ #@#"),
            ("Vancouver", "BC", "V#@ #@#"),
            ("Calgary", "AB", "T#@ #@#"),
            ("Winnipeg", "MB", "R#@ #@#"),
            ("Halifax", "NS", "B#@ #@#"),
        ],
        "FR" => &[
            ("Paris", "Île-de-France", "750##"),
            ("Lyon", "Auvergne-Rhône-Alpes", "690##"),
            ("Marseille", "Provence-Alpes-Côte d'Azur", "130##"),
            ("Toulouse", "Occitanie", "310##"),
            ("Nantes", "Pays de la Loire", "440##"),
            ("Bordeaux", "Nouvelle-Aquitaine", "330##"),
            ("Lille", "Hauts-de-France", "590##"),
            ("Strasbourg", "Grand Est", "670##"),
        ],
        "NL" => &[
            ("Amsterdam", "Noord-Holland", "10## @@"),
            ("Rotterdam", "Zuid-Holland", "30## @@"),
            ("Utrecht", "Utrecht", "35## @@"),
            ("Eindhoven", "Noord-Brabant", "56## @@"),
            ("Groningen", "Groningen", "97## @@"),
        ],
        "AU" => &[
            ("Sydney", "NSW", "20##"),
            ("Melbourne", "VIC", "30##"),
            ("Brisbane", "QLD", "40##"),
            ("Perth", "WA", "60##"),
            ("Adelaide", "SA", "50##"),
        ],
        "IE" => &[
            ("Dublin", "Leinster", "D0# @#@#"),
            ("Cork", "Munster", "T12 @#@#"),
            ("Galway", "Connacht", "H91 @#@#"),
            ("Limerick", "Munster", "V94 @#@#"),
        ],
        "IT" => &[
            ("Milano", "Lombardia", "201##"),
            ("Torino", "Piemonte", "101##"),
            ("Bologna", "Emilia-Romagna", "401##"),
            ("Roma", "Lazio", "001##"),
            ("Verona", "Veneto", "371##"),
        ],
        _ => &[
            ("New York", "NY", "100##"),
            ("Brooklyn", "NY", "112##"),
            ("Boston", "MA", "021##"),
            ("Philadelphia", "PA", "191##"),
            ("Atlanta", "GA", "303##"),
            ("Miami", "FL", "331##"),
            ("Tampa", "FL", "336##"),
            ("Raleigh", "NC", "276##"),
            ("Charlotte", "NC", "282##"),
            ("Chicago", "IL", "606##"),
            ("Detroit", "MI", "482##"),
            ("Columbus", "OH", "432##"),
            ("Minneapolis", "MN", "554##"),
            ("Milwaukee", "WI", "532##"),
            ("Austin", "TX", "787##"),
            ("Dallas", "TX", "752##"),
            ("Houston", "TX", "770##"),
            ("Denver", "CO", "802##"),
            ("Salt Lake City", "UT", "841##"),
            ("Phoenix", "AZ", "850##"),
            ("Portland", "OR", "972##"),
            ("Seattle", "WA", "981##"),
            ("San Diego", "CA", "921##"),
            ("Oakland", "CA", "946##"),
            ("Nashville", "TN", "372##"),
        ],
    }
}

#[rustfmt::skip]
const STREETS: &[&str] = &[
    "Maple", "Oak", "Cedar", "Mill", "Station", "Church", "Market", "Bridge", "King", "Queen", "Victoria", "Albert", "Park",
    "Garden", "Harbour", "River", "Hill", "Lake", "Meadow", "Orchard", "Spring", "Chapel", "Castle", "Forge", "Granary",
    "Foundry", "Union", "Liberty", "Washington", "Franklin", "Madison", "Lincoln", "Cherry", "Walnut", "Chestnut", "Willow",
    "Sycamore", "Canal", "Depot", "Commerce",
];
const GERMAN: &[&str] = &[
    "Linden",
    "Garten",
    "Bahnhof",
    "Schul",
    "Mühlen",
    "Berg",
    "Haupt",
    "Kirch",
    "Wald",
    "Rosen",
    "Birken",
    "Goethe",
    "Schiller",
    "Hafen",
    "Industrie",
    "Brunnen",
];
const FRENCH: &[&str] = &[
    "de la Gare",
    "des Lilas",
    "du Moulin",
    "de la République",
    "Victor Hugo",
    "des Tilleuls",
    "du Marché",
    "de l'Église",
    "Pasteur",
    "des Écoles",
    "du Général Leclerc",
    "de la Fontaine",
];
const DUTCH: &[&str] = &[
    "Kerkstraat",
    "Stationsweg",
    "Dorpsstraat",
    "Molenweg",
    "Havenkade",
    "Beukenlaan",
    "Julianastraat",
    "Wilhelminaplein",
    "Parallelweg",
    "Eikenlaan",
];
const ITALIAN: &[&str] = &[
    "Roma",
    "Garibaldi",
    "Mazzini",
    "Verdi",
    "Dante",
    "Cavour",
    "Marconi",
    "dei Mille",
    "della Stazione",
    "San Marco",
];
