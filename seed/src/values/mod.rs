//! Generators of values that look real and cannot be: mail at `.example`, phone numbers of blocks reserved for fiction,
//! addresses of documentation networks, companies put together from parts.

pub mod company;
pub mod countries;
pub mod network;
pub mod person;
pub mod phone;
pub mod place;

/// Lower-case ASCII letters and digits of a name: what goes into a mail address or a domain.
pub fn fold(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            'à' | 'á' | 'â' | 'ã' | 'å' => out.push('a'),
            'ä' | 'æ' => out.push_str("ae"),
            'ç' => out.push('c'),
            'è' | 'é' | 'ê' | 'ë' => out.push('e'),
            'ì' | 'í' | 'î' | 'ï' => out.push('i'),
            'ñ' => out.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' => out.push('o'),
            'ö' | 'œ' | 'ø' => out.push_str("oe"),
            'ù' | 'ú' | 'û' => out.push('u'),
            'ü' => out.push_str("ue"),
            'ß' => out.push_str("ss"),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_fold_to_ascii() {
        assert_eq!(
            super::fold("Jörg van den Weiß-O'Hara"),
            "joergvandenweissohara"
        );
        assert_eq!(super::fold("Éloïse"), "eloise");
    }
}
