//! Words to make titles, labels and job titles of.

use crate::dice::Dice;

/// Two or three words.
pub(super) fn title(dice: &mut Dice) -> String {
    let (first, noun) = (dice.pick(ADJECTIVES), dice.pick(NOUNS));
    match dice.weighted(&[5, 3, 2]) {
        0 => format!("{} {}", capital(first), capital(noun)),
        1 => format!(
            "{} {} {}",
            capital(first),
            capital(dice.pick(NOUNS)),
            capital(noun)
        ),
        _ => format!("{} of {}", capital(noun), capital(dice.pick(NOUNS))),
    }
}

/// The title numbered `index`; none once all pairs of words are used up.
pub(super) fn titled(index: u64) -> Option<String> {
    let nouns = NOUNS.len() as u64;
    let first = ADJECTIVES.get((index / nouns) as usize)?;
    // Neighbours have other nouns and, soon, other adjectives: the index comes shuffled.
    let noun = NOUNS[(index % nouns) as usize];
    Some(format!("{} {}", capital(first), capital(noun)))
}

/// One word.
pub(super) fn word(dice: &mut Dice) -> String {
    if dice.chance(50) {
        dice.pick(NOUNS).to_owned()
    } else {
        dice.pick(ADJECTIVES).to_owned()
    }
}

/// How much is in one piece.
pub(super) fn pack(dice: &mut Dice) -> String {
    let count = dice.pick(&["6", "10", "12", "20", "24", "36", "48"]);
    let (vessel, size) = [
        ("boxes", "500 g"),
        ("jars", "250 g"),
        ("bottles", "750 ml"),
        ("bags", "1 kg"),
        ("packs", "4 pieces"),
        ("tins", "400 g"),
        ("cartons", "1 l"),
    ][dice.below(7)];
    match dice.below(3) {
        0 => format!("{count} {vessel}"),
        1 => format!("{count} x {size}"),
        _ => format!("{count} {vessel} of {size}"),
    }
}

/// A job title.
pub(super) fn job(dice: &mut Dice) -> String {
    let level = dice.pick(&[
        "",
        "",
        "Senior ",
        "Junior ",
        "Lead ",
        "Head of ",
        "Assistant ",
        "Regional ",
    ]);
    if level == "Head of " {
        return format!("{level}{}", dice.pick(FIELDS));
    }
    format!(
        "{level}{} {}",
        dice.pick(FIELDS),
        dice.pick(&[
            "Manager",
            "Specialist",
            "Analyst",
            "Coordinator",
            "Consultant",
            "Engineer",
            "Officer"
        ])
    )
}

pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

const FIELDS: &[&str] = &[
    "Sales",
    "Marketing",
    "Product",
    "Support",
    "Data",
    "Finance",
    "Operations",
    "Logistics",
    "Quality",
    "Design",
    "Purchasing",
    "Research",
    "Training",
    "Facilities",
    "Accounts",
    "Service",
    "Process",
    "Systems",
];

#[rustfmt::skip]
pub(super) const ADJECTIVES: &[&str] = &[
    "amber", "ancient", "autumn", "bitter", "bold", "brass", "brief", "bright", "broad", "bronze", "calm", "candid", "careful", "central",
    "clear", "clever", "coastal", "cool", "copper", "cosy", "crisp", "curious", "daily", "deep", "distant", "early", "eastern", "easy",
    "elegant", "even", "fair", "fine", "first", "floating", "fresh", "frozen", "gentle", "gilded", "golden", "grand", "green", "happy",
    "hidden", "high", "honest", "indigo", "ivory", "jade", "keen", "kind", "late", "light", "little", "lively", "lofty", "lucky",
    "lunar", "mellow", "merry", "misty", "modern", "narrow", "neat", "new", "noble", "northern", "open", "pale", "patient", "plain",
    "polite", "proud", "quick", "quiet", "rapid", "rare", "ready", "rich", "rosy", "round", "rustic", "second", "serene", "sharp",
    "silent", "silver", "simple", "slow", "smooth", "soft", "solar", "solid", "southern", "steady", "stormy", "sturdy", "sunny", "swift",
    "tender", "tidy", "timely", "upper", "urban", "velvet", "vivid", "warm", "western", "wide", "wild", "winter", "wooden", "young",
];

#[rustfmt::skip]
pub(super) const NOUNS: &[&str] = &[
    "acorn", "anchor", "apple", "arch", "arrow", "aspen", "atlas", "avenue", "badge", "bakery", "balance", "banner", "basin", "basket",
    "beacon", "bell", "bench", "birch", "blanket", "bottle", "bridge", "brook", "bucket", "cabin", "candle", "canyon", "carpet", "castle",
    "cedar", "chapel", "circle", "cloud", "clover", "compass", "coral", "cotton", "courtyard", "cove", "crown", "crystal", "dawn", "delta",
    "diary", "dune", "echo", "ember", "engine", "falcon", "feather", "fern", "field", "flame", "forest", "fountain", "garden", "gate",
    "glacier", "grove", "guitar", "hammer", "harbour", "harvest", "hazel", "heron", "hill", "horizon", "island", "jacket", "jar", "journey",
    "kettle", "kite", "ladder", "lagoon", "lake", "lamp", "lantern", "leaf", "lemon", "letter", "linen", "lock", "maple", "marble",
    "market", "meadow", "melody", "mill", "mirror", "mosaic", "mountain", "needle", "oak", "oasis", "ocean", "olive", "orbit", "orchard",
    "paper", "path", "pearl", "pebble", "pepper", "piano", "pine", "planet", "plaza", "pocket", "pond", "prairie", "quartz", "quill",
    "rain", "reef", "ribbon", "ridge", "river", "rocket", "saddle", "sail", "shelf", "shore", "signal", "spring", "spruce", "square",
    "star", "stone", "stream", "summit", "table", "temple", "thread", "tide", "timber", "tower", "trail", "tulip", "valley", "velvet",
    "village", "violin", "wagon", "water", "wave", "willow", "window", "wing", "yard", "zenith",
];

pub(super) const CURRENCIES: &[&str] = &[
    "EUR", "USD", "GBP", "CHF", "CAD", "AUD", "SEK", "NOK", "DKK", "JPY", "PLN", "CZK",
];
pub(super) const LANGUAGES: &[&str] = &[
    "en", "de", "fr", "nl", "it", "es", "pt", "sv", "pl", "da", "cs", "fi",
];
pub(super) const ZONES: &[&str] = &[
    "Europe/Berlin",
    "Europe/London",
    "Europe/Paris",
    "America/New_York",
    "America/Chicago",
    "Europe/Amsterdam",
    "Australia/Sydney",
    "America/Toronto",
    "Europe/Rome",
    "Europe/Dublin",
];
