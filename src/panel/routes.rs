//! Every address of the panel. What is not in this list is not served, so whoever goes through
//! the list has been everywhere.

/// Pages that anybody may ask for.
pub const OPEN: &[(&str, &str)] = &[
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/register"),
    ("POST", "/register"),
];

/// Pages of whoever is signed in, before a tenant is chosen.
pub const SIGNED_IN: &[(&str, &str)] = &[
    ("GET", "/panel"),
    ("GET", "/account"),
    ("POST", "/account"),
    ("POST", "/logout"),
    ("POST", "/logout/everywhere"),
];

/// Pages of one tenant, behind `/panel/{id}`; a part in braces stands for any.
pub const TENANT: &[(&str, &str)] = &[
    ("GET", ""),
    ("GET", "/status"),
    ("GET", "/counts"),
    ("GET", "/token"),
    ("GET", "/data"),
    ("GET", "/data/{table}"),
    ("GET", "/data/{table}/export.csv"),
    ("GET", "/data/{table}/export.json"),
    ("GET", "/data/{table}/pick"),
    ("GET", "/data/{table}/new"),
    ("POST", "/data/{table}/new"),
    ("GET", "/data/{table}/import"),
    ("POST", "/data/{table}/import"),
    ("POST", "/data/{table}/import/preview"),
    ("POST", "/data/{table}/bulk"),
    ("GET", "/data/{table}/row/{key}"),
    ("POST", "/data/{table}/row/{key}"),
    ("GET", "/data/{table}/row/{key}/delete"),
    ("POST", "/data/{table}/row/{key}/delete"),
    ("GET", "/data/{table}/row/{key}/cell/{column}"),
    ("POST", "/data/{table}/row/{key}/cell/{column}"),
    ("GET", "/structure"),
    ("GET", "/structure/new"),
    ("POST", "/structure/new"),
    ("GET", "/structure/table/{table}"),
    ("POST", "/structure/table/{table}"),
    ("GET", "/sql"),
    ("POST", "/sql"),
    ("GET", "/graphql"),
    ("POST", "/graphql"),
    ("GET", "/reports"),
    ("GET", "/reports/new"),
    ("POST", "/reports/new"),
    ("GET", "/reports/{report}"),
    ("POST", "/reports/{report}"),
    ("GET", "/reports/{report}/frame"),
    ("GET", "/tokens"),
    ("POST", "/tokens"),
    ("GET", "/tokens/{token}"),
    ("POST", "/tokens/{token}"),
    ("GET", "/users"),
    ("POST", "/users"),
    ("GET", "/logs"),
    ("GET", "/sandbox"),
    ("POST", "/sandbox"),
    ("GET", "/settings"),
    ("POST", "/settings"),
    ("GET", "/demo"),
];

/// Whether a list has an address, given by its parts.
pub fn has(list: &[(&str, &str)], changes: bool, parts: &[&str]) -> bool {
    let method = if changes { "POST" } else { "GET" };
    list.iter()
        .filter(|(known, _)| *known == method)
        .any(|(_, path)| {
            let mut known = path.split('/').filter(|part| !part.is_empty());
            let fits = parts.iter().all(|part| {
                known
                    .next()
                    .is_some_and(|known| known == *part || known.starts_with('{'))
            });
            fits && known.next().is_none()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_by_their_parts() {
        assert!(has(TENANT, false, &[]));
        assert!(has(TENANT, false, &["data", "a b"]));
        assert!(has(TENANT, true, &["data", "t", "row", "1,2"]));
        assert!(!has(TENANT, true, &["data", "t", "row"]));
        assert!(!has(TENANT, true, &["logs"]));
        assert!(!has(TENANT, false, &["data", "t", "nowhere"]));
        assert!(has(OPEN, true, &["login"]));
    }
}
