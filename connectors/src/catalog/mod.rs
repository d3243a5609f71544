//! The connectors that we ship.
//!
//! They are manifests like everybody's, written by us, and they hold no privilege: whoever needs one to behave
//! otherwise copies it and installs the copy. They are compiled into the binary as text and installed like any other
//! manifest at start-up, so that there is one way in which connectors exist.

/// A manifest that comes with the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShippedManifest {
    /// The name it is installed under.
    pub slug: &'static str,
    /// The manifest.
    pub yaml: &'static str,
}

const SHIPPED: &[ShippedManifest] = &[
    ShippedManifest {
        slug: "github",
        yaml: include_str!("github.yaml"),
    },
    ShippedManifest {
        slug: "hubspot",
        yaml: include_str!("hubspot.yaml"),
    },
    ShippedManifest {
        slug: "jsonplaceholder",
        yaml: include_str!("jsonplaceholder.yaml"),
    },
    ShippedManifest {
        slug: "postgres",
        yaml: include_str!("postgres.yaml"),
    },
    ShippedManifest {
        slug: "postmark",
        yaml: include_str!("postmark.yaml"),
    },
    ShippedManifest {
        slug: "salesforce",
        yaml: include_str!("salesforce.yaml"),
    },
    ShippedManifest {
        slug: "salesforce-bulk",
        yaml: include_str!("salesforce-bulk.yaml"),
    },
    ShippedManifest {
        slug: "sample",
        yaml: include_str!("sample.yaml"),
    },
    ShippedManifest {
        slug: "slack",
        yaml: include_str!("slack.yaml"),
    },
    ShippedManifest {
        slug: "soap-example",
        yaml: include_str!("soap-example.yaml"),
    },
    ShippedManifest {
        slug: "stripe",
        yaml: include_str!("stripe.yaml"),
    },
];

/// Every manifest that comes with the binary, by slug.
pub fn shipped() -> &'static [ShippedManifest] {
    SHIPPED
}

#[cfg(test)]
mod tests {
    use super::shipped;
    use crate::Connector;

    #[test]
    fn every_shipped_manifest_loads_without_a_warning() {
        for manifest in shipped() {
            let connector = Connector::parse(manifest.yaml)
                .unwrap_or_else(|faults| panic!("{}: {faults:#?}", manifest.slug));
            assert_eq!(connector.name(), Some(manifest.slug));
            assert!(
                connector.warnings().is_empty(),
                "{}: {:#?}",
                manifest.slug,
                connector.warnings()
            );
            assert!(
                connector
                    .streams()
                    .iter()
                    .all(|stream| !stream.primary_key.is_empty())
            );
        }
    }

    #[test]
    fn jsonplaceholder_takes_an_empty_configuration_and_explains_a_wrong_one() {
        let yaml = shipped()
            .iter()
            .find(|manifest| manifest.slug == "jsonplaceholder")
            .expect("it is shipped")
            .yaml;
        let connector = Connector::parse(yaml).expect("it loads");
        assert!(connector.spec().validate(&serde_json::json!({})).is_empty());
        assert!(
            connector
                .spec()
                .validate(&serde_json::json!({ "base_url": "http://127.0.0.1:3000" }))
                .is_empty()
        );
        let faults = connector
            .spec()
            .validate(&serde_json::json!({ "base_url": "127.0.0.1:3000/" }));
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].path, ["base_url"]);
        assert!(
            faults[0].message.contains("an http or https address"),
            "{}",
            faults[0].message
        );
    }
}
