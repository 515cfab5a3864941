//! What a column's name says of its values, in several languages.

use seed::{masks::Kind, values::fold};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// A truth, told by 0 and 1.
    Flag,
    /// An amount of money.
    Money,
    /// What one piece, hour or delivery costs.
    Price,
    /// What a person earns in a year, or a project may cost.
    Budget,
    /// A share of a hundred.
    Percent,
    /// A few pieces.
    Quantity,
    /// A year.
    Year,
    /// Years of age.
    Age,
    /// Degrees north.
    Latitude,
    /// Degrees east.
    Longitude,
    /// A place in a list.
    Ordinal,
    /// Bytes.
    Size,
    /// A span of time, in whatever unit.
    Span,
}

/// Where a point in time stands in the life of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Decades before.
    Birth,
    /// When it began.
    Start,
    /// Something on the way.
    Middle,
    /// The last thing known.
    Late,
    /// Later than all of it, maybe to come.
    Future,
}

/// The words of a name: parted by case, digits and signs, in lower-case ASCII.
pub fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.push_str(&fold(&c.to_string()));
        }
        lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a name is that of a secret: a password, a token, a means of payment, a number of a person's papers.
pub fn is_secret(name: &str) -> bool {
    let words = words(name);
    let whole: String = words.concat();
    SECRET_WORDS
        .iter()
        .any(|word| words.iter().any(|w| w == word))
        || SECRET_PARTS.iter().any(|part| whole.contains(part))
}

/// What a name says of texts, in the table of that name.
pub fn text(name: &str, table: &str) -> Option<Kind> {
    let words = words(name);
    let whole: String = words.concat();
    let last = words.last().map(String::as_str).unwrap_or_default();
    if words.len() > 1 && matches!(last, "id" | "key") && whole != "userid" {
        return Some(Kind::Code);
    }
    if SHORT.contains(&last) {
        return super::pattern::shape("^[A-Z]{2,3}$").map(Kind::Shape);
    }
    for (kind, exact, parts) in TEXTS {
        let exact = exact
            .iter()
            .any(|word| words.iter().any(|w| w == word) || whole == *word);
        if exact || parts.iter().any(|part| whole.contains(part)) {
            return Some(kind.clone());
        }
    }
    if NAME_WORDS.contains(&last) {
        let before: String = words[..words.len() - 1].concat();
        let about = if before.is_empty() {
            stem(table)
        } else {
            before
        };
        return Some(name_of(&about));
    }
    if last == "title" || last == "titel" {
        return Some(
            if is_people(&stem(table)) || words.len() > 1 && is_people(&words[0]) {
                Kind::Job
            } else {
                Kind::Title
            },
        );
    }
    None
}

/// What a name says of numbers.
pub fn figure(name: &str) -> Option<Figure> {
    let words = words(name);
    let whole: String = words.concat();
    if words.len() > 1 && QUESTIONS.contains(&words[0].as_str()) {
        return Some(Figure::Flag);
    }
    let found = FIGURES.iter().find(|(figure, exact, parts)| {
        // `sort_order` is a place in a list, `units_on_order` is none.
        let said = if *figure == Figure::Ordinal {
            &words[words.len().saturating_sub(1)..]
        } else {
            &words[..]
        };
        exact.iter().any(|word| said.iter().any(|w| w == word))
            || parts.iter().any(|part| whole.contains(part))
    });
    found.map(|(figure, _, _)| *figure)
}

/// Whether a name says that of a point in time the day alone counts.
pub fn is_day(name: &str) -> bool {
    let words = words(name);
    let days = [
        "date", "datum", "fecha", "data", "day", "birthday", "birth", "dob",
    ];
    words
        .last()
        .is_some_and(|last| days.contains(&last.as_str()) || last.ends_with("date"))
}

/// What is behind the word of a name that says whose address or name it is: `city` of `ship_city`.
pub fn without_purpose(name: &str) -> Option<Vec<String>> {
    let words = words(name);
    let purpose = words.len() > 1 && PURPOSES.contains(&words[0].as_str());
    purpose.then(|| words[1..].to_vec())
}

/// Whether the rows of a table are those that something is sent to or billed to.
pub fn is_customer(table: &str) -> bool {
    let stem = stem(table);
    CUSTOMERS.iter().any(|word| stem.contains(word))
}

/// Where the point in time that a column tells stands in the life of its row.
pub fn rank(name: &str) -> Rank {
    let words = words(name);
    let whole: String = words.concat();
    let found = RANKS.iter().find(|(_, exact, parts)| {
        exact.iter().any(|word| words.iter().any(|w| w == word))
            || parts.iter().any(|part| whole.contains(part))
    });
    found.map_or(Rank::Start, |(rank, _, _)| *rank)
}

/// Whether a table's or column's name speaks of people.
fn is_people(stem: &str) -> bool {
    PEOPLE.iter().any(|word| stem.contains(word))
}

fn name_of(about: &str) -> Kind {
    if is_people(about) {
        return Kind::Name;
    }
    let holds = |list: &[&str]| list.iter().any(|word| about.contains(word));
    if holds(&["countr", "land", "pays", "pais", "paese", "nation"]) {
        Kind::Country
    } else if holds(&[
        "city", "cities", "town", "stadt", "ville", "ciudad", "citta",
    ]) {
        Kind::City
    } else if holds(&["state", "province", "region", "bundesland", "county"]) {
        Kind::State
    } else if holds(&[
        "compan",
        "client",
        "supplier",
        "vendor",
        "firm",
        "organi",
        "account",
        "shipper",
        "ship",
        "brand",
        "publisher",
        "school",
        "bank",
        "shop",
        "store",
        "entreprise",
        "empresa",
        "azienda",
        "kunde",
        "lieferant",
        "agency",
        "partner",
        "merchant",
    ]) {
        Kind::Company
    } else if holds(&["file", "datei", "fichier", "image", "photo"]) {
        Kind::File
    } else {
        Kind::Title
    }
}

/// A table's name without the ending of a plural.
fn stem(table: &str) -> String {
    let whole: String = words(table).concat();
    whole.strip_suffix('s').map(str::to_owned).unwrap_or(whole)
}

#[rustfmt::skip]
const PEOPLE: &[&str] = &[
    "user", "person", "people", "staff", "employee", "contact", "customer", "member", "student", "teacher", "patient",
    "doctor", "author", "owner", "lead", "applicant", "candidate", "guest", "driver", "player", "actor", "artist",
    "mitarbeiter", "benutzer", "nutzer", "kontakt", "empleado", "usuario", "cliente", "utilisateur", "personne",
    "medewerker", "manager", "agent", "recipient", "passenger", "composer",
];

#[rustfmt::skip]
const CUSTOMERS: &[&str] = &[
    "customer", "client", "account", "user", "member", "buyer", "patient", "guest", "person", "contact", "kunde", "cliente",
    "subscriber", "student", "debtor",
];

/// Words before the name of an address that say what it is for.
const PURPOSES: &[&str] = &[
    "ship",
    "shipping",
    "bill",
    "billing",
    "delivery",
    "invoice",
    "invoicing",
    "liefer",
    "rechnungs",
    "envio",
];

/// Words that a yes or no begins with.
const QUESTIONS: &[&str] = &["is", "has", "can", "was", "ist", "hat", "est", "es"];

/// Short forms of names.
const SHORT: &[&str] = &[
    "abbr",
    "abbrev",
    "abbreviation",
    "acronym",
    "initials",
    "kuerzel",
    "sigle",
];

#[rustfmt::skip]
const NAME_WORDS: &[&str] = &[
    "name", "nom", "nombre", "nome", "naam", "label", "bezeichnung",
];

#[rustfmt::skip]
const SECRET_WORDS: &[&str] = &[
    "pwd", "pw", "pass", "pin", "cvv", "cvc", "cvv2", "otp", "totp", "mfa", "salt", "secret", "secrets", "token",
    "tokens", "ssn", "sin", "iban", "bic", "hash", "credential", "credentials", "cookie", "nonce", "geheim", "clave",
    "csrf", "jwt", "psk",
];

#[rustfmt::skip]
const SECRET_PARTS: &[&str] = &[
    "password", "passwd", "passphrase", "passwort", "kennwort", "motdepasse", "contrasena", "contrasea", "senha",
    "wachtwoord", "parolachiave", "losenord", "haslo", "apikey", "privatekey", "secretkey", "accesskey", "signingkey",
    "encryptionkey", "authkey", "refreshtoken", "sessionid", "sessionkey", "creditcard", "cardnumber", "cardno",
    "ccnumber", "kreditkarte", "cartebancaire", "tarjeta", "securitycode", "accountnumber", "accountno",
    "kontonummer", "bankaccount", "routingnumber", "sortcode", "socialsecurity", "sozialversicherung", "nationalid",
    "passport", "reisepass", "taxpayer", "recoverycode", "backupcode", "securityanswer",
];

type Said = (Kind, &'static [&'static str], &'static [&'static str]);

/// Kinds with the words that say so by themselves, and the parts of a name that do; the first that fits counts.
#[rustfmt::skip]
const TEXTS: &[Said] = &[
    (Kind::Email, &["email", "mail", "emails", "correo", "courriel", "epost"], &["email", "emailaddress"]),
    (Kind::Ip, &["ip", "ipv4", "ipv6", "ipaddress", "ipaddr", "remoteaddr", "remoteaddress"], &[]),
    (Kind::Mac, &["mac", "macaddress"], &[]),
    (Kind::Phone, &["phone", "tel", "fax", "mobile", "cell", "handy", "telefon", "telefono", "telephone", "telefone", "telefoon", "telefax", "extension"], &["phone", "telefon", "mobilnummer", "handynummer"]),
    (Kind::First, &["fname", "prenom", "vorname", "voornaam", "firstname", "forename"], &["firstname", "givenname", "vorname", "forename", "prenom", "voornaam", "primernombre"]),
    (Kind::Last, &["lname", "surname", "nachname", "apellido", "apellidos", "cognome", "sobrenome", "achternaam", "lastname"], &["lastname", "surname", "familyname", "nachname", "nomdefamille", "achternaam", "apellido"]),
    (Kind::Username, &["username", "login", "nick", "nickname", "handle", "userid", "benutzername", "usuario"], &["username", "loginname", "benutzername", "screenname"]),
    (Kind::Courtesy, &["courtesy", "salutation", "anrede", "prefix", "honorific"], &["titleofcourtesy"]),
    (Kind::Name, &["fullname", "composer", "author", "recipient", "attention"], &["fullname", "displayname", "contactname", "personname", "realname", "cardholder"]),
    (Kind::Company, &["company", "firma", "employer", "organization", "organisation", "entreprise", "societe", "empresa", "azienda", "bedrijf", "companyname"], &["companyname", "firmenname", "shipname", "organizationname"]),
    (Kind::Industry, &["industry", "branche", "sector"], &[]),
    (Kind::Zip, &["zip", "postcode", "plz", "postal", "zipcode", "cap", "cep"], &["postalcode", "postcode", "zipcode", "postleitzahl", "codepostal", "codigopostal"]),
    (Kind::Street, &["address", "addr", "street", "strasse", "adresse", "rue", "calle", "direccion", "indirizzo", "endereco", "straat", "adres", "line1", "line2", "address1", "address2"], &["streetaddress", "addressline", "billingaddress", "shippingaddress", "shipaddress"]),
    (Kind::City, &["city", "town", "stadt", "ort", "ville", "ciudad", "citta", "cidade", "stad", "plaats", "municipality"], &["cityname"]),
    (Kind::State, &["state", "province", "region", "county", "bundesland", "provincia", "estado", "departement", "territory"], &["statename", "regionname"]),
    (Kind::CountryCode, &["iso2", "iso3", "countrycode"], &["countrycode", "countryiso"]),
    (Kind::Country, &["country", "land", "pays", "pais", "paese", "nationality"], &["countryname"]),
    (Kind::Url, &["url", "uri", "website", "homepage", "link", "href", "web", "webseite"], &["website", "homepage"]),
    (Kind::Host, &["host", "hostname", "domain", "server"], &["hostname", "domainname"]),
    (Kind::Job, &["job", "jobtitle", "occupation", "profession", "beruf", "poste", "cargo", "puesto"], &["jobtitle", "contacttitle"]),
    (Kind::Colour, &["color", "colour", "farbe", "couleur"], &[]),
    (Kind::Currency, &["currency", "waehrung", "devise", "moneda"], &["currencycode"]),
    (Kind::Language, &["language", "lang", "locale", "sprache", "langue", "idioma"], &[]),
    (Kind::TimeZone, &["timezone", "tz"], &["timezone"]),
    (Kind::Mime, &["mime", "mimetype"], &["contenttype", "mediatype"]),
    (Kind::Uuid, &["uuid", "guid"], &["uuid"]),
    (Kind::Hex, &["checksum", "md5", "sha1", "sha256", "etag", "fingerprint"], &["checksum"]),
    (Kind::File, &["file", "filename", "attachment", "photo", "image", "picture", "avatar", "path", "datei", "fichier"], &["filename", "filepath", "photopath"]),
    (Kind::Pack, &["packaging", "packsize", "quantityperunit", "unitsize", "verpackung"], &["perunit"]),
    (Kind::Prose, &["description", "body", "content", "message", "bio", "biography", "about", "article", "beschreibung", "contenu", "descripcion", "text", "details", "desc"], &["description", "beschreibung"]),
    (Kind::Sentence, &["note", "notes", "comment", "comments", "remark", "remarks", "summary", "reason", "bemerkung", "kommentar", "commentaire", "nota", "instructions", "excerpt", "terms", "question", "answer", "feedback"], &["comment", "remark"]),
    (Kind::Title, &["subject", "headline", "betreff", "caption", "topic", "heading", "label"], &[]),
    (Kind::Code, &["code", "number", "no", "num", "nr", "ref", "reference", "sku", "vat", "tin", "ein", "siret", "nif", "isbn", "ean", "upc", "barcode", "serial", "nummer", "numero", "vatnumber", "ustid"], &["invoicenumber", "ordernumber", "vatnumber", "taxid", "taxnumber", "serialnumber"]),
    (Kind::Digits, &["digits"], &[]),
];

type Placed = (Rank, &'static [&'static str], &'static [&'static str]);

#[rustfmt::skip]
const RANKS: &[Placed] = &[
    (Rank::Birth, &["birth", "born", "dob", "bday"], &["birth", "geburt", "naissance", "nacimiento", "nascita"]),
    (Rank::Future, &["due", "expiry", "expires", "expire", "expected", "valid", "renewal", "until", "required", "faellig"], &["expir", "deadline", "required"]),
    (Rank::Late, &["updated", "modified", "changed", "geaendert", "last", "end", "ended", "finished", "closed", "close", "completed", "left", "ende", "fin", "shipped", "delivered", "paid", "decided", "converted", "cancelled", "to"], &["update", "modif", "finish", "complet", "shipped"]),
    (Rank::Middle, &["sent", "contact", "reply", "signed", "confirmed", "approved", "published", "read"], &[]),
];

type Counted = (Figure, &'static [&'static str], &'static [&'static str]);

#[rustfmt::skip]
const FIGURES: &[Counted] = &[
    (Figure::Flag, &["active", "enabled", "disabled", "deleted", "archived", "discontinued", "flag", "visible", "verified", "locked", "blocked", "aktiv", "actif", "activo"], &[]),
    (Figure::Latitude, &["lat", "latitude"], &["latitude"]),
    (Figure::Longitude, &["lon", "lng", "long", "longitude"], &["longitude"]),
    (Figure::Year, &["year", "jahr", "annee", "ano"], &[]),
    (Figure::Age, &["age", "alter", "edad"], &[]),
    (Figure::Percent, &["percent", "percentage", "pct", "discount", "rabatt", "progress", "share"], &["percent", "taxrate", "vatrate"]),
    (Figure::Budget, &["salary", "budget", "revenue", "income", "gehalt", "salaire", "turnover"], &["salary"]),
    (Figure::Price, &["price", "rate", "fee", "freight", "postage", "preis", "prix", "precio", "prezzo"], &["price"]),
    (Figure::Money, &["amount", "total", "subtotal", "cost", "value", "balance", "betrag", "summe", "montant", "importe", "tax", "net", "gross", "paid", "remaining"], &["amount", "total", "cost"]),
    (Figure::Quantity, &["quantity", "qty", "units", "pieces", "stock", "inventory", "reorder", "menge", "anzahl", "quantite", "cantidad"], &["quantity", "inventory"]),
    (Figure::Ordinal, &["position", "ordinal", "order", "sort", "rank", "seq", "sequence", "line", "step"], &["sortorder", "lineno", "linenumber"]),
    (Figure::Quantity, &["count", "number", "level"], &[]),
    (Figure::Size, &["bytes", "size", "length", "filesize"], &["filesize"]),
    (Figure::Span, &["duration", "seconds", "minutes", "hours", "days", "milliseconds", "ms", "dauer", "hour"], &["duration", "millisecond"]),
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart() {
        assert_eq!(
            words("BillingAddress_line2"),
            ["billing", "address", "line2"]
        );
        assert_eq!(words("straße"), ["strasse"]);
    }

    #[test]
    fn names_say_what_is_in_them_in_several_languages() {
        for (name, table, kind) in [
            ("email", "staffs", Kind::Email),
            ("phonenumber", "clients", Kind::Phone),
            ("Vorname", "kunden", Kind::First),
            ("apellido", "clientes", Kind::Last),
            ("LastName", "Employee", Kind::Last),
            ("name", "clients", Kind::Company),
            ("name", "projects", Kind::Title),
            ("name", "leads", Kind::Name),
            ("contact_name", "suppliers", Kind::Name),
            ("ship_city", "orders", Kind::City),
            ("codigo_postal", "direcciones", Kind::Zip),
            ("ship_address", "orders", Kind::Street),
            ("client_ip_address", "visits", Kind::Ip),
            ("quantity_per_unit", "products", Kind::Pack),
            ("territory_id", "territories", Kind::Code),
            ("title", "employees", Kind::Job),
            ("title", "albums", Kind::Title),
        ] {
            assert_eq!(text(name, table), Some(kind), "{table}.{name}");
        }
    }

    #[test]
    fn names_say_what_is_counted() {
        for (name, said) in [
            ("units_on_order", Some(Figure::Quantity)),
            ("sort_order", Some(Figure::Ordinal)),
            ("unit_price", Some(Figure::Price)),
            ("invoice_total", Some(Figure::Money)),
            ("discontinued", Some(Figure::Flag)),
            ("is_paid", Some(Figure::Flag)),
            ("island", None),
        ] {
            assert_eq!(figure(name), said, "{name}");
        }
        assert!(is_day("hire_date") && is_day("OrderDate") && !is_day("dated_at"));
        assert_eq!(without_purpose("ship_city"), Some(vec!["city".to_owned()]));
        assert_eq!(without_purpose("shipment"), None);
    }

    #[test]
    fn secrets_are_known_by_name() {
        for name in [
            "password_hash",
            "Passwort",
            "api_key",
            "refreshToken",
            "cvv",
            "credit_card_number",
            "iban",
            "mot_de_passe",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "is_pinned",
            "passenger",
            "shipping",
            "compass",
            "description",
            "spinner",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn points_in_time_have_an_order() {
        assert_eq!(rank("birth_date"), Rank::Birth);
        assert!(rank("created_at") < rank("updated_at"));
        assert!(rank("start_date") < rank("end_date"));
        assert!(rank("invoice_date") < rank("due_date"));
    }
}
