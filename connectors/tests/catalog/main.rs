//! The connectors that we ship, each against a fake of its vendor.
//!
//! A manifest of ours is a claim about somebody else's API, and nothing in this repository can call that API. So each
//! vendor has a fake that is written from the vendor's published documentation, which it cites, and not from the
//! manifest. It knows what the documentation knows and *refuses* the rest: a query parameter that is not documented, a
//! page larger than the maximum, a missing version header, a cursor that it never gave. Real vendors overlook much of
//! that, and a manifest that lives on what they overlook breaks on the day they stop; a fake that overlooks it proves
//! only that the manifest agrees with itself.
//!
//! What the tests drive is the manifest as it is shipped, by the calls that `connector read` and a server's run make.
//! Only its address differs. A vendor whose customers have addresses of their own (a GitHub Enterprise Server, a
//! Salesforce domain) is told the fake's in its configuration, as a customer would. For the others the vendor's origin
//! is a constant, and the test puts the fake's in its place in the manifest's text (`reading::moved`).
//! Rejected: a base URL in every configuration (a setting that sends a secret key to any host, there for tests alone),
//! and names resolved to the loopback (it needs a certificate authority in the guarded client, which production
//! would have to carry).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fake;
mod github;
mod hubspot;
mod postmark;
mod reading;
mod salesforce;
mod slack;
mod stripe;

use serde_json::json;

const PAGE: &str = include_str!("../../../docs/catalogue.md");

/// As the page writes a limit.
fn written(rate: connectors::read::CallRate) -> String {
    let limit = rate.limit.to_string();
    let limit = match limit.split_at_checked(limit.len().saturating_sub(3)) {
        Some((thousands, rest)) if !thousands.is_empty() => format!("{thousands},{rest}"),
        _ => limit,
    };
    let period = match rate.per.as_secs() {
        1 => "a second",
        10 => "in ten seconds",
        60 => "a minute",
        3_600 => "an hour",
        86_400 => "in 24 hours",
        other => panic!("the page has no word for {other} seconds"),
    };
    format!("{limit} {period}")
}

#[test]
fn the_catalogues_page_says_what_limits_are_kept() {
    let (_, table) = PAGE.split_once("\n## Limits\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let mut limited = 0;
    for shipped in connectors::catalog::shipped() {
        let config = match shipped.slug {
            "github" => json!({ "token": "t", "repositories": ["octocat/a"] }),
            "hubspot" => json!({ "credentials": { "auth_type": "private_app", "access_token": "t" } }),
            "salesforce" => json!({ "domain": "https://example.my.salesforce.com", "credentials": {
                "auth_type": "client_credentials", "client_id": "i", "client_secret": "s",
            }}),
            "salesforce-bulk" => {
                json!({ "domain": "https://example.my.salesforce.com", "objects": ["Account"],
                    "credentials": { "auth_type": "client_credentials", "client_id": "i", "client_secret": "s" },
                })
            }
            "slack" => json!({ "token": "xoxb-1" }),
            "stripe" => json!({ "api_key": "rk_live_1" }),
            _ => {
                assert!(!shipped.yaml.contains("\napi_budget:"), "{}", shipped.slug);
                assert!(
                    !table.contains(&format!("| `{}` |", shipped.slug)),
                    "{}",
                    shipped.slug
                );
                continue;
            }
        };
        let classes = reading::limits(&reading::load(shipped.yaml), &config);
        let mut kept: Vec<String> = classes
            .iter()
            .flat_map(|class| &class.rates)
            .map(|rate| written(*rate))
            .collect();
        let named = format!("| `{}` |", shipped.slug);
        let mut said: Vec<String> = table
            .lines()
            .filter(|line| line.starts_with(&named))
            .flat_map(|line| line.split('|').nth(3).unwrap().split("; "))
            .map(|limit| limit.trim().to_owned())
            .collect();
        kept.sort_unstable();
        said.sort_unstable();
        assert_eq!(said, kept, "{}", shipped.slug);
        assert!(!kept.is_empty(), "{}", shipped.slug);
        limited += 1;
    }
    assert_eq!(
        limited,
        table.matches("](https://").count(),
        "each vendor's page is named once"
    );
}

#[test]
fn the_catalogues_page_lists_every_connector_and_stream() {
    let (connectors, rest) = PAGE.split_once("\n## Limits\n").unwrap();
    let (_, streams) = rest.split_once("\n## Streams\n").unwrap();
    for shipped in connectors::catalog::shipped() {
        let named = format!("\n| `{}` |", shipped.slug);
        for table in [connectors, streams] {
            assert_eq!(
                table.matches(&named).count(),
                1,
                "{} is in both tables",
                shipped.slug
            );
        }
        let (_, own) = streams.split_once(&named).unwrap();
        let end = own.find("\n| `").or_else(|| own.find("\n\n")).unwrap();
        let own = &own[..end];
        for stream in reading::load(shipped.yaml).streams() {
            let cell = format!("`{}`", stream.name);
            let line = own.lines().find(|line| line.contains(&cell));
            let line = line.unwrap_or_else(|| panic!("{} of {} is missing", stream.name, shipped.slug));
            let cursor = stream.cursor_field.as_deref();
            assert!(
                cursor.is_none_or(|cursor| line.contains(&format!("| `{cursor}`"))),
                "{}'s cursor is {cursor:?}, and the page says {line}",
                stream.name
            );
            assert_eq!(line.trim_end().ends_with("| | |"), cursor.is_none(), "{line}");
        }
    }
}
