//! Requests as they are written in cURL, PHP, JavaScript and Python.

/// A call that the reference shows.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// What is done.
    pub title: &'static str,
    /// `GET`, `POST`, ..
    pub method: &'static str,
    /// Path and query string.
    pub path: &'static str,
    /// JSON; empty for none.
    pub body: &'static str,
    /// What it needs.
    pub credential: Credential,
}

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    None,
    /// The tenant's key.
    Key,
    /// A token.
    Token,
    /// An access token of an administrator, and the tenant's key.
    Admin,
}

/// What samples are filled with.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// An API token, or the access token of whoever is signed in.
    pub token: &'a str,
    /// The key of their copy, which goes with an access token.
    pub key: Option<&'a str>,
}

impl Credentials<'_> {
    /// The headers as options of curl.
    pub fn curl(&self) -> String {
        let key = self
            .key
            .map_or_else(String::new, |key| format!("-H 'Api-Key: {key}' "));
        format!("{key}-H 'Authorization: Bearer {}'", self.token)
    }
}

/// A call in one language.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What the language is called.
    pub language: &'static str,
    /// The text.
    pub text: String,
}

/// The calls, in the order of the page.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        title: "Register",
        method: "POST",
        path: "/api/register",
        body: r#"{"email": "ada@mail.example", "password": "correct horse"}"#,
        credential: Credential::None,
    },
    Endpoint {
        title: "Sign in",
        method: "POST",
        path: "/api/auth/token",
        body: r#"{"email": "ada@mail.example", "password": "correct horse"}"#,
        credential: Credential::Key,
    },
    Endpoint {
        title: "Make an API token",
        method: "POST",
        path: "/api/tokens",
        body: r#"{"name": "My program", "scopes": ["tables", "views", "graphql", "write"]}"#,
        credential: Credential::Admin,
    },
    Endpoint {
        title: "Try a token",
        method: "GET",
        path: "/api/v1/auth/test",
        body: "",
        credential: Credential::Token,
    },
    Endpoint {
        title: "What there is",
        method: "GET",
        path: "/api/v1/",
        body: "",
        credential: Credential::Token,
    },
    Endpoint {
        title: "A page of rows",
        method: "GET",
        path: "/api/v1/clients?page=1&per_page=5&sort=-id&fields=id,name,email",
        body: "",
        credential: Credential::Token,
    },
    Endpoint {
        title: "Rows that fit, with related ones",
        method: "GET",
        path: "/api/v1/invoices?filter=status:1&filter=total.gte:1000&include=client&per_page=5",
        body: "",
        credential: Credential::Token,
    },
    Endpoint {
        title: "One row",
        method: "GET",
        path: "/api/v1/clients/1",
        body: "",
        credential: Credential::Token,
    },
    Endpoint {
        title: "Make a row",
        method: "POST",
        path: "/api/v1/tasks",
        body: r#"{"rel_type": "project", "rel_id": 3, "name": "Read the reference"}"#,
        credential: Credential::Token,
    },
    Endpoint {
        title: "Change a row",
        method: "PATCH",
        path: "/api/v1/tasks/1",
        body: r#"{"name": "Read the reference again"}"#,
        credential: Credential::Token,
    },
    Endpoint {
        title: "Set columns of a row",
        method: "PUT",
        path: "/api/v1/clients/1",
        body: r#"{"city": "Turin", "zip": "10121"}"#,
        credential: Credential::Token,
    },
    Endpoint {
        title: "Take a row away",
        method: "DELETE",
        path: "/api/v1/notes/1",
        body: "",
        credential: Credential::Token,
    },
    Endpoint {
        title: "A table's columns and rules",
        method: "GET",
        path: "/api/v1/invoices/schema",
        body: "",
        credential: Credential::Token,
    },
    Endpoint {
        title: "Rows of a report",
        method: "GET",
        path: "/api/v1/reports/project-progress-overview?per_page=5",
        body: "",
        credential: Credential::Token,
    },
    Endpoint {
        title: "Figures over a report",
        method: "GET",
        path: "/api/v1/reports/invoices/aggregate?dimension=status&measure=total&aggregation=sum&period=monthly",
        body: "",
        credential: Credential::Token,
    },
    Endpoint {
        title: "A GraphQL query",
        method: "POST",
        path: "/api/v1/graphql",
        body: r#"{"query": "{ staffs(limit: 5) { id email firstname lastname } }"}"#,
        credential: Credential::Token,
    },
    Endpoint {
        title: "A GraphQL mutation",
        method: "POST",
        path: "/api/v1/graphql",
        body: r#"{"query": "mutation($input: ProjectCreate!) { createProject(input: $input) { id name } }", "variables": {"input": {"name": "New roof", "clientid": 1}}}"#,
        credential: Credential::Token,
    },
    Endpoint {
        title: "An SQL statement",
        method: "POST",
        path: "/api/v1/sql",
        body: r#"{"query": "select status, count(*) from invoices group by status", "params": []}"#,
        credential: Credential::Admin,
    },
    Endpoint {
        title: "An OpenAPI document for GPT Actions",
        method: "GET",
        path: "/api/v1/openapi.yaml?tables=clients,tasks&views=invoices",
        body: "",
        credential: Credential::Token,
    },
];

impl Endpoint {
    /// The call in every language, for a server at `base`.
    pub fn samples(&self, base: &str, credentials: Credentials<'_>) -> Vec<Sample> {
        let url = format!("{base}{}", self.path);
        let headers = self.headers(credentials);
        [
            ("cURL", self.curl(&url, &headers)),
            ("PHP", self.php(&url, &headers)),
            ("JavaScript", self.javascript(&url, &headers)),
            ("Python", self.python(&url, &headers)),
        ]
        .map(|(language, text)| Sample { language, text })
        .into()
    }

    /// The path alone.
    pub fn shown(&self) -> &'static str {
        self.path.split('?').next().unwrap_or_default()
    }

    fn headers(&self, credentials: Credentials<'_>) -> Vec<(&'static str, String)> {
        let Credentials { token, key } = credentials;
        let mut headers = Vec::new();
        let keyed = match self.credential {
            Credential::Key | Credential::Admin => Some(key.unwrap_or("YOUR_KEY")),
            Credential::Token => key,
            Credential::None => None,
        };
        if let Some(key) = keyed {
            headers.push(("Api-Key", key.to_owned()));
        }
        match self.credential {
            Credential::Token => headers.push(("Authorization", format!("Bearer {token}"))),
            Credential::Admin => {
                // The demo's token, or another, can't do what an administrator can.
                let token = if key.is_some() {
                    token
                } else {
                    "YOUR_ACCESS_TOKEN"
                };
                headers.push(("Authorization", format!("Bearer {token}")));
            }
            Credential::None | Credential::Key => {}
        }
        if !self.body.is_empty() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        headers
    }

    fn curl(&self, url: &str, headers: &[(&str, String)]) -> String {
        let mut text = match self.method {
            "GET" => format!("curl '{url}'"),
            method => format!("curl -X {method} '{url}'"),
        };
        for (name, value) in headers {
            text.push_str(&format!(" \\\n  -H '{name}: {value}'"));
        }
        if !self.body.is_empty() {
            text.push_str(&format!(" \\\n  -d '{}'", self.body));
        }
        text
    }

    fn php(&self, url: &str, headers: &[(&str, String)]) -> String {
        let headers: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("        '{name}: {value}',\n"))
            .collect();
        let body = match self.body {
            "" => String::new(),
            body => format!("    CURLOPT_POSTFIELDS => '{body}',\n"),
        };
        format!(
            "<?php\n$curl = curl_init('{url}');\ncurl_setopt_array($curl, [\n    \
             CURLOPT_CUSTOMREQUEST => '{}',\n    CURLOPT_RETURNTRANSFER => true,\n    \
             CURLOPT_HTTPHEADER => [\n{}    ],\n{body}]);\necho curl_exec($curl);",
            self.method,
            headers.concat(),
        )
    }

    fn javascript(&self, url: &str, headers: &[(&str, String)]) -> String {
        let headers: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("    '{name}': '{value}',\n"))
            .collect();
        let body = match self.body {
            "" => String::new(),
            body => format!("  body: JSON.stringify({body}),\n"),
        };
        format!(
            "const response = await fetch('{url}', {{\n  method: '{}',\n  headers: {{\n{}  }},\n{body}}});\n\
             console.log(await response.text());",
            self.method,
            headers.concat(),
        )
    }

    fn python(&self, url: &str, headers: &[(&str, String)]) -> String {
        let headers: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("    '{name}': '{value}',\n"))
            .collect();
        let data = match self.body {
            "" => String::new(),
            body => format!(", data=json.dumps({body}).encode()"),
        };
        let imports = match self.body {
            "" => "import urllib.request",
            _ => "import json, urllib.request",
        };
        format!(
            "{imports}\n\nrequest = urllib.request.Request('{url}', method='{}', headers={{\n{}}}{data})\n\
             with urllib.request.urlopen(request) as response:\n    print(response.read().decode())",
            self.method,
            headers.concat(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn bodies_are_json_that_all_languages_take_as_it_is() {
        for endpoint in ENDPOINTS {
            assert!(!endpoint.body.contains('\''), "{}", endpoint.title);
            if !endpoint.body.is_empty() {
                assert!(serde_json::from_str::<Value>(endpoint.body).is_ok());
            }
            // Words that Python spells differently.
            for word in ["true", "false", "null"] {
                assert!(!endpoint.body.contains(word), "{}", endpoint.title);
            }
        }
    }

    #[test]
    fn samples_carry_address_and_token() {
        let list = ENDPOINTS.iter().find(|e| e.title == "One row");
        let samples = list.map(|list| {
            list.samples(
                "https://a.example",
                Credentials {
                    token: "dba_1",
                    key: None,
                },
            )
        });
        let samples = samples.unwrap_or_default();
        assert_eq!(samples.len(), 4);
        for sample in samples {
            assert!(sample.text.contains("https://a.example/api/v1/clients/1"));
            assert!(sample.text.contains("Bearer dba_1"));
            assert!(!sample.text.contains("Api-Key"));
        }
    }

    #[test]
    fn samples_of_somebody_signed_in_carry_their_key() {
        let credentials = Credentials {
            token: "access",
            key: Some("ak_1"),
        };
        for endpoint in ENDPOINTS {
            for sample in endpoint.samples("https://a.example", credentials) {
                assert!(!sample.text.contains("YOUR_"), "{}", sample.text);
                let open = endpoint.credential == Credential::None;
                assert_ne!(sample.text.contains("ak_1"), open, "{}", sample.text);
            }
        }
    }
}
