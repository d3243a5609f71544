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

#[test]
fn the_catalogues_page_lists_every_connector_and_stream() {
    let page = include_str!("../../../docs/catalogue.md");
    let (_, streams) = page.split_once("\n## Streams\n").unwrap();
    for shipped in connectors::catalog::shipped() {
        let named = format!("\n| `{}` |", shipped.slug);
        assert_eq!(
            page.matches(&named).count(),
            2,
            "{} is in both tables",
            shipped.slug
        );
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
